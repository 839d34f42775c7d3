/* A real browser for the tests: reads one JSON command per line, answers each with one JSON line {"value"} or {"error"}.
 *
 *     node browser.mjs CHROMIUM PLAYWRIGHT_CORE
 *
 * Commands: {"do": "open", "url", "options", "blocked"}, "eval" (code, run in the page), "fill", "click", "press", "screenshot" (path),
 * "block" and "unblock" (a pattern of URLs, answered with 503), "complaints" (what the page's scripts complained of), "hosts" (whom
 * the browser has asked). */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [program, core] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(core);
const browser = await chromium.launch({
    executablePath: program,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
});
let page = null;
let complaints = [];
const hosts = new Set();

const commands = {
    async open({ url, options, blocked }) {
        if (page) await page.context().close();
        complaints = [];
        page = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })).newPage();
        page.on("pageerror", (error) => complaints.push(error.message));
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        page.on("request", (request) => hosts.add(new URL(request.url()).host));
        if (blocked) await commands.block({ pattern: blocked });
        await page.goto(url, { waitUntil: "domcontentloaded" });
    },
    eval: ({ code }) => page.evaluate(code),
    fill: ({ selector, text }) => page.fill(selector, text),
    click: ({ selector }) => page.click(selector),
    press: ({ key }) => page.keyboard.press(key),
    screenshot: ({ path, full }) => page.screenshot({ path, fullPage: full ?? true }).then(() => path),
    block: ({ pattern }) => page.route(pattern, (route) => route.fulfill({ status: 503, body: "{}" })),
    unblock: ({ pattern }) => page.unroute(pattern),
    complaints: () => complaints,
    hosts: () => [...hosts],
};

for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
        answer = { value: (await commands[command.do](command)) ?? null };
    } catch (error) {
        answer = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
