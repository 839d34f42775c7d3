/* Where the values come from: a live stream of events, and when there is none, asking once a second.
 *
 * The browser reconnects a broken stream by itself. It gives up when the server answers with something else than a stream, such as
 * "all places are taken" or an error of a proxy; then this asks /api/latest instead and tries the stream again later. While the
 * stream is broken it asks as well, so values come as soon as anything answers. */

const ASK_EVERY = 1000;        // ms
const ASK_TIMEOUT = 3000;
const STREAM_AGAIN_AFTER = 15000;
const BROKEN_AFTER = 1500;     // a stream that reconnects faster than this was never lost

/* @onValue: called with each message. @onLink: called with "live", "asking" (with a sentence) or "lost". */
export function connect(onValue, onLink) {
    const link = { stream: null, isOpen: false, brokeAt: performance.now(), answeredAt: -Infinity, why: "", seen: {} };
    const value = (message) => {
        const key = message.seq + "/" + message.time;
        if (link.seen[message.name] === key) return;
        link.seen[message.name] = key;
        onValue(message);
    };

    function open() {
        const stream = new EventSource("/stream");
        link.stream = stream;
        stream.onopen = () => {
            link.isOpen = true;
            link.why = "";
        };
        stream.onmessage = (event) => value(JSON.parse(event.data));
        stream.onerror = () => {
            if (link.isOpen) link.brokeAt = performance.now();
            link.isOpen = false;
            if (stream.readyState === EventSource.CLOSED) setTimeout(open, link.why ? STREAM_AGAIN_AFTER : ASK_EVERY);
        };
    }

    async function ask() {
        const answer = await fetch("/api/latest", { cache: "no-store", signal: AbortSignal.timeout(ASK_TIMEOUT) });
        if (!answer.ok) throw new Error("HTTP " + answer.status);
        const latest = await answer.json();
        if (link.stream.readyState === EventSource.CLOSED)
            link.why = `All ${latest.viewers_max} places for live viewers are taken; this page asks once a second instead.`;
        for (const message of Object.values(latest.channels)) if (message) value(message);
        link.answeredAt = performance.now();
    }

    async function tick() {
        const now = performance.now();
        if (!link.isOpen && now - link.brokeAt > BROKEN_AFTER) await ask().catch(() => {});
        if (link.isOpen || performance.now() - link.brokeAt <= BROKEN_AFTER) onLink("live");
        else if (performance.now() - link.answeredAt < ASK_TIMEOUT) onLink("asking", link.why);
        else onLink("lost");
        setTimeout(tick, link.isOpen ? 250 : ASK_EVERY);
    }

    open();
    tick();
}
