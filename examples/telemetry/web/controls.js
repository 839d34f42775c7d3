/* The control forms: sent without leaving the page. The answer, or the server's sentence of refusal, is shown and read out. */

const TIMEOUT = 4000;

async function order(form) {
    const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
        signal: AbortSignal.timeout(TIMEOUT),
    });
    return answer.json();
}

function show(text, state) {
    const place = document.getElementById("answer");
    place.className = "answer " + state;
    place.textContent = text;
}

function said(settings) {
    return `Done: window ${settings.window}, threshold ${settings.threshold}${settings.paused ? ", paused." : "."}`;
}

async function submit(event, onSettings) {
    event.preventDefault();
    const form = event.target, button = form.querySelector("button");
    button.setAttribute("aria-busy", "true");
    try {
        const result = await order(form);
        if (result.error) show(result.error, "refused");
        else {
            show(said(result.settings), "done");
            onSettings(result.settings);
        }
    } catch (error) {
        show("The page's server does not answer; the order was not carried out, or its answer was lost.", "refused");
    } finally {
        button.removeAttribute("aria-busy");
    }
}

/* What the pause button does next, and what it says, follow the settings in use. */
export function showSettings(settings) {
    document.querySelectorAll('[data-field="window"]').forEach((e) => (e.textContent = settings.window));
    document.querySelectorAll('[data-field="threshold"]').forEach((e) => (e.textContent = settings.threshold));
    const form = document.getElementById("pause");
    form.elements.op.value = settings.paused ? "resume" : "pause";
    form.querySelector("button").textContent = settings.paused ? "Resume" : "Pause";
    form.querySelector("small").textContent = settings.paused ? "are paused" : "are running";
}

export function listen(onSettings) {
    document.querySelectorAll("form.order").forEach((form) => form.addEventListener("submit", (event) => submit(event, onSettings)));
}
