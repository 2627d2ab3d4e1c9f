// What is shown stands behind # in the address: links change it, and the page follows. from, to: seconds; sort, up; by: exits
// or cycles; cpu; open: names of a path, joined by |; awake=1: without HLT, MWAIT, PAUSE and the console.

const STATE_NAMES = ["from", "to", "sort", "up", "by", "cpu", "open", "awake"];

function readState() {
    const words = new URLSearchParams(location.hash.slice(1));
    const from = words.get("from"), to = words.get("to");
    const span = from !== null && to !== null && isFinite(+from) && +to > +from;
    return {
        from: span ? Math.round(+from * HERTZ) : null,
        to: span ? Math.round(+to * HERTZ) : null,
        sort: words.get("sort") || "count",
        up: words.get("up") === "1",
        by: words.get("by") === "cycles" ? "cycles" : "count",
        cpu: words.get("cpu") || "",
        open: words.get("open") ? words.get("open").split("|") : [],
        awake: words.get("awake") === "1",
    };
}

// The address with some of it changed; null takes a word away.
function linkTo(change) {
    const words = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of Object.entries(change))
        if (value === null || value === "") words.delete(name); else words.set(name, value);
    return "#" + words.toString();
}
const goTo = change => { location.hash = linkTo(change); };

const spanWords = (from, to) => ({from: (from / HERTZ).toPrecision(10), to: (to / HERTZ).toPrecision(10)});

const whole = n => Math.round(n).toLocaleString("en");
const percent = (part, all) => all ? (100 * part / all).toFixed(1) : "0.0";
function seconds(ticks, digits) {
    return (ticks / HERTZ).toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
}
// A length of time in the unit that suits it.
function duration(ticks) {
    const s = ticks / HERTZ;
    if (!DATA.khz) return `${s.toPrecision(3)} ${UNIT}`;
    return s >= 1 ? `${s.toFixed(2)} s` : s >= 1e-3 ? `${(s * 1e3).toPrecision(3)} ms` : `${(s * 1e6).toPrecision(3)} µs`;
}

function element(tag, attributes, ...inside) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
        if (name === "style") made.style.cssText = value; else made.setAttribute(name, value);
    }
    made.append(...inside);
    return made;
}
const $ = id => document.getElementById(id);
function fill(id, ...inside) { $(id).replaceChildren(...inside); }
const tint = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
