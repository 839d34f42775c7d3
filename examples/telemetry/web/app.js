/* The page, live: keeps the places that the server wrote (data-field, data-age-of, ...) up to date.
 *
 * A value's age is counted from what the server said when it sent it, with the browser's own steady clock, so that the two machines'
 * clocks need not agree. A source whose age is over its limit is stale, whoever is to blame: the sensor, the computation, the
 * page's server, or the network. */
import { makeCharts } from "/assets/charts.js";
import { listen, showSettings } from "/assets/controls.js";
import { duration, number, scaled, unit } from "/assets/format.js";
import { connect } from "/assets/live.js";

const json = (id) => JSON.parse(document.getElementById(id).textContent);
const limits = json("limits");
const sources = new Map(); // name -> { born: ms on the steady clock, state }
const arrivals = new Map(); // channel -> [{ at, seq }], the last seconds
const charts = makeCharts();
let isPaused = false;

function setField(name, text) {
    for (const place of document.querySelectorAll(`[data-field="${name}"]`)) if (place.textContent !== text) place.textContent = text;
}

function showHost({ data }) {
    setField("load", number(data.load));
    setField("memory", number(data.memory.percent));
    setField("memory-more", `${number(data.memory.used / 1e9)} of ${number(data.memory.total / 1e9)} GB`);
    setField("network", scaled(data.network?.receive));
    setField("network-more", `out ${scaled(data.network?.send)}B/s`);
    setField("disk", scaled(data.disk?.write));
    setField("disk-more", `read ${scaled(data.disk?.read)}B/s`);
    setField("pressure", number(data.pressure?.cpu));
    setField("pressure-more", `disk ${number(data.pressure?.io)}, memory ${number(data.pressure?.memory)}`);
    const hottest = Object.entries(data.temperatures ?? {}).sort((a, b) => b[1] - a[1])[0];
    setField("temperature", number(hottest?.[1]));
    setField("temperature-more", hottest?.[0] ?? "");
}

function showVitals(message) {
    const { data } = message;
    if (data.jitter) {
        setField("late", number(data.jitter.p99, 0));
        setField("late-more", `p99; worst ${number(data.jitter.max, 0)}`);
        setSource("vitals.jitter", message.age + (message.time - data.jitter.time) / 1e9);
    }
    if (data.load) setField("load-more", `usually ${number(data.load.mean)} ± ${number(data.load.deviation)}`);
    isPaused = data.settings.paused;
    showSettings(data.settings);
}

function showRecent({ data }) {
    setField("alarms", number(data.total, 0));
    document.getElementById("no-alarms").hidden = data.alarms.length > 0;
    const rows = document.getElementById("alarms");
    const newest = String(data.alarms[0]?.time) + data.total;
    if (rows.dataset.newest === newest) return;
    rows.dataset.newest = newest;
    rows.replaceChildren(...data.alarms.map(alarmRow));
}

function alarmRow(alarm) {
    const row = document.createElement("tr");
    const cells = [
        new Date(alarm.time / 1e6).toLocaleTimeString([], { hour12: false }),
        alarm.source,
        `${number(alarm.value)}\u202f${unit(alarm.unit)}`,
        `${number(alarm.mean)} ± ${number(alarm.deviation)}`,
        number(alarm.z),
    ];
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
}

function showSpectrum({ meta, data }) {
    const place = document.getElementById("spectrum-note");
    place.dataset.length = data.length;
    place.textContent = `µs²/Hz, ${data.length} lines, ${number(meta.frequency.step, 2)} Hz apart, ${meta.segments} segments`;
}

const show = { host: showHost, vitals: showVitals, recent: showRecent, spectrum: showSpectrum };

/* Anybody may send to a channel, and what he sends may be of another shape: such a message counts as arrived, and what it cannot
 * show stays as it was. Nothing a message holds may stop the page. */
function receive(message) {
    setSource(message.name, message.age);
    countArrival(message);
    try {
        show[message.name]?.(message);
        charts[message.name]?.add(message);
    } catch (error) {
        console.warn(`a message of ${message.name} is of another shape and was passed over: ${error.message}`);
    }
}

/* ---- ages ---- */

function setSource(name, age) {
    const source = sources.get(name) ?? { state: "none" };
    source.born = performance.now() - 1000 * Math.max(age, 0);
    sources.set(name, source);
}

function limitOf(name) {
    return limits[name.split(".")[0]];
}

function stateOf(name) {
    const source = sources.get(name);
    if (!source) return ["none", "no value yet"];
    const age = (performance.now() - source.born) / 1000;
    const isPausedHere = isPaused && name === "spectrum" && source.state !== "none" && isFresh("vitals");
    const state = isPausedHere ? "paused" : age > limitOf(name) ? "stale" : "live";
    return [state, `${state} ${duration(age)}`];
}

function isFresh(name) {
    return sources.has(name) && performance.now() - sources.get(name).born < 1000 * limitOf(name);
}

function showAges() {
    for (const badge of document.querySelectorAll("[data-age-of]")) {
        const [state, text] = stateOf(badge.dataset.ageOf);
        if (badge.textContent !== text) badge.textContent = text;
        if (badge.dataset.state !== state) badge.dataset.state = state;
        const card = badge.closest(".tile, .card:not(#card-channels)");
        if (card) card.dataset.state = state;
    }
    for (const [name, source] of sources) {
        const [state] = stateOf(name);
        if (source.state !== state && source.state !== "none" && !name.includes(".")) announce(`${name} is ${state}`);
        source.state = state;
    }
}

function announce(text) {
    document.getElementById("announce").textContent = text;
}

/* ---- the table of channels ---- */

function countArrival(message) {
    const list = arrivals.get(message.name) ?? [];
    list.push({ at: performance.now() - 1000 * Math.max(message.age, 0), seq: message.seq });
    arrivals.set(message.name, list.slice(-60));
}

/* Messages per second by their seq, so that what was passed over on the way counts too. */
function rateOf(list) {
    const recent = list.filter((arrival) => performance.now() - arrival.at < 4000);
    if (recent.length < 2) return null;
    const [first, last] = [recent[0], recent.at(-1)];
    return last.seq > first.seq ? (1000 * (last.seq - first.seq)) / (last.at - first.at) : null;
}

function showChannels() {
    for (const [name, list] of arrivals) {
        document.querySelector(`[data-seq-of="${name}"]`).textContent = number(list.at(-1).seq, 0);
        document.querySelector(`[data-rate-of="${name}"]`).textContent = number(rateOf(list));
    }
}

/* ---- the link to the server ---- */

const LINK = {
    live: ["live", ""],
    asking: ["asking every second", ""],
    lost: ["connection lost", "The page's server does not answer. Values are no longer live; trying again."],
};

function showLink(state, why) {
    const place = document.getElementById("link"), lost = document.getElementById("lost");
    const [text, sentence] = LINK[state];
    if (place.dataset.state !== state) {
        place.dataset.state = state;
        place.textContent = text;
    }
    const shown = why || sentence;
    lost.hidden = !shown;
    if (lost.textContent !== shown) lost.textContent = shown;
    lost.dataset.state = state;
}

/* ---- light and dark ---- */

function setUpTheme() {
    const button = document.getElementById("theme"), root = document.documentElement;
    const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const changed = () => document.dispatchEvent(new Event("themechange"));
    const kept = localStorage.getItem("theme");
    if (kept) root.dataset.theme = kept;
    button.hidden = false;
    button.addEventListener("click", () => {
        root.dataset.theme = isDark() ? "light" : "dark";
        localStorage.setItem("theme", root.dataset.theme);
        changed();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

setUpTheme();
/* What the channels still hold of the last minute, so that the charts need not begin empty. */
async function showHistory() {
    const answer = await fetch("/api/history", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    const history = await answer.json();
    for (const name of ["host", "jitter"])
        for (const message of history[name])
            try {
                charts[name].add(message);
            } catch {
                /* of another shape */
            }
}

await showHistory().catch(() => {});
for (const message of Object.values(json("seed"))) receive(message);
listen((settings) => {
    isPaused = settings.paused;
    showSettings(settings);
});
connect(receive, showLink);
setInterval(showAges, 200);
setInterval(showChannels, 500);
