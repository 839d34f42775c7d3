/* The three charts. Each keeps what it needs to draw and is drawn at most once per animation frame, only while it can be seen. */
import uPlot from "/assets/uplot/uPlot.esm.js";

const LOAD_SECONDS = 60;
const JITTER_SAMPLES = 4096;
const HEIGHT = { wide: 200, other: 240 };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const CORE_COLOURS = 8;

const axis = (more) => ({
    stroke: () => colour("--faint"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { stroke: () => colour("--line"), width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
    ...more,
});

const bottom = { size: 32, gap: 4 };

/* 1000 as "1k", 0.01 as "0.01"; on a logarithmic axis only powers of ten are labelled. */
const short = (v) =>
    (v === null ? "" : Math.abs(v) >= 1000 ? `${+(v / 1000).toPrecision(3)}k` : `${+v.toPrecision(3)}`);
const power = (v) => (v !== null && Math.abs(Math.log10(v) % 1) < 1e-9 ? (v >= 1e5 || v < 1e-2 ? `1e${Math.round(Math.log10(v))}` : short(v)) : "");

class Chart {
    constructor(id, options) {
        this.place = document.getElementById(id);
        this.options = options;
        this.isDue = false;
        this.isVisible = true;
        this.plot = null;
        new ResizeObserver(() => this.resize()).observe(this.place);
        new IntersectionObserver(([entry]) => {
            this.isVisible = entry.isIntersecting;
            if (this.isVisible) this.request();
        }).observe(this.place);
        document.addEventListener("themechange", () => this.plot?.redraw(false, true));
    }

    size() {
        const isWide = this.place.parentElement.classList.contains("wide");
        return { width: this.place.clientWidth, height: isWide ? HEIGHT.wide : HEIGHT.other };
    }

    resize() {
        if (this.plot && this.place.clientWidth > 0) this.plot.setSize(this.size());
    }

    /* A new number of lines needs a new plot. */
    rebuild(series) {
        this.plot?.destroy();
        this.place.textContent = "";
        const shared = { legend: { show: false }, cursor: { y: false, drag: { setScale: false }, points: { size: 6 } }, padding: [10, 20, 0, 0] };
        this.plot = new uPlot({ ...shared, ...this.options, ...this.size(), series }, series.map(() => []), this.place);
        this.series = series.length;
    }

    request() {
        if (this.isDue || !this.isVisible) return;
        this.isDue = true;
        requestAnimationFrame(() => {
            this.isDue = false;
            const data = this.data();
            if (!data) return;
            if (this.series !== data.length) this.rebuild(this.lines(data.length - 1));
            this.plot.setData(data);
        });
    }
}

/* Load of each core and their mean over the last minute. */
class LoadChart extends Chart {
    constructor() {
        super("chart-load", {
            scales: {
                x: { time: true, range: (u, min, max) => [max - LOAD_SECONDS, max] },
                y: { range: [0, 100] },
            },
            axes: [axis({ ...bottom, space: 80, values: (u, ticks) => ticks.map((t) => clockText(t)) }), axis({ size: 44, values: (u, ticks) => ticks.map(short) })],
        });
        this.times = [];
        this.rows = [];
    }

    add(message) {
        const time = message.time / 1e9;
        if (time <= this.times.at(-1)) return; // history and the first event overlap
        if (this.rows.length && message.data.cores.length !== this.rows[0].length - 1) this.times.length = this.rows.length = 0;
        if (time - this.times.at(-1) > 1.5) this.push((this.times.at(-1) + time) / 2, [message.data.load, ...message.data.cores].map(() => null));
        this.push(time, [message.data.load, ...message.data.cores]);
        this.request();
    }

    push(time, row) {
        this.times.push(time);
        this.rows.push(row);
        const first = this.times.findIndex((t) => t > time - LOAD_SECONDS - 1);
        if (first > 20) {
            this.times.splice(0, first);
            this.rows.splice(0, first);
        }
    }

    data() {
        if (!this.rows.length) return null;
        const columns = this.rows[0].map((_, i) => this.rows.map((row) => row[i]));
        return [this.times, ...columns.slice(1), columns[0]];
    }

    lines(count) {
        const core = (i) => ({ label: `core ${i}`, stroke: () => colour(`--core-${i % CORE_COLOURS}`), width: 1, points: { show: false } });
        const mean = { label: "mean", stroke: () => colour("--accent"), fill: () => colour("--accent-fill"), width: 2, points: { show: false } };
        return [{}, ...Array.from({ length: count - 1 }, (_, i) => core(i)), mean];
    }
}

/* The last samples, a missing block left out as a gap. */
class JitterChart extends Chart {
    constructor() {
        super("chart-jitter", {
            scales: {
                x: { time: false, range: () => [-JITTER_SAMPLES / this.rate, 0] },
                y: { distr: 3, range: (u, min, max) => [10 ** Math.floor(Math.log10(Math.max(min, 1))), 10 ** Math.ceil(Math.log10(Math.max(max, 100)))] },
            },
            axes: [
                axis({ ...bottom, values: (u, ticks) => ticks.map((t) => (t === 0 ? "now" : `${short(t)} s`)) }),
                axis({ size: 52, values: (u, ticks) => ticks.map(power) }),
            ],
        });
        this.samples = [];
        this.rate = 1000;
        this.seq = null;
        this.time = 0;
    }

    add(message) {
        if (message.time <= this.time) return;
        this.time = message.time;
        const block = message.data.map((v) => Math.max(v, 1));
        this.rate = message.meta.rate;
        if (this.seq !== null && message.seq !== this.seq + 1) {
            const missing = message.seq > this.seq ? (message.seq - this.seq - 1) * block.length : 64;
            this.samples.push(...Array(Math.min(missing, JITTER_SAMPLES)).fill(null));
        }
        this.seq = message.seq;
        this.samples.push(...block);
        this.samples.splice(0, Math.max(0, this.samples.length - JITTER_SAMPLES));
        this.request();
    }

    data() {
        const n = this.samples.length;
        if (!n) return null;
        return [this.samples.map((_, i) => (i - n + 1) / this.rate), this.samples];
    }

    lines() {
        return [{}, { label: "late", stroke: () => colour("--accent"), width: 1, points: { show: false } }];
    }
}

class SpectrumChart extends Chart {
    constructor() {
        super("chart-spectrum", {
            scales: {
                x: { time: false, range: (u, min, max) => [0, max] },
                y: { distr: 3, range: (u, min, max) => (min > 0 ? [10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max) + 1e-9)] : [0.1, 10]) },
            },
            axes: [
                axis({ ...bottom, values: (u, ticks) => ticks.map((t) => `${short(t)} Hz`), space: 70 }),
                axis({ size: 52, values: (u, ticks) => ticks.map(power) }),
            ],
        });
    }

    add(message) {
        this.message = message;
        this.request();
    }

    data() {
        if (!this.message) return null;
        const { start, step } = this.message.meta.frequency;
        const density = this.message.data.slice(1); // at 0 Hz there is nothing left: the mean was taken away
        return [density.map((_, i) => start + step * (i + 1)), density.map((v) => (v > 0 ? v : null))];
    }

    lines() {
        return [{}, { label: "density", stroke: () => colour("--second"), fill: () => colour("--second-fill"), width: 1.5, points: { show: false } }];
    }
}

function clockText(seconds) {
    return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

export function makeCharts() {
    return { host: new LoadChart(), jitter: new JitterChart(), spectrum: new SpectrumChart() };
}
