// The heat strip: reasons by time, darker is more often, one linear scale for all of it.

const STRIP_ROW = 13;
const stripLeft = () => Math.round(graph.getArea().x), stripRight = () => Math.round(graph.getArea().x + graph.getArea().w);

// The highest rate of each reason in each column of pixels, in exits a tick: a short burst keeps its height.
function stripRates(names, from, to, columns) {
    const rowOf = new Map(names.map((name, i) => [name, i]));
    const rates = names.map(() => new Float64Array(columns));
    const scale = columns / (to - from);
    for (const interval of intervals) {
        if (interval.to <= from || interval.from >= to) continue;
        const first = Math.max(0, Math.floor((interval.from - from) * scale));
        const last = Math.min(columns - 1, Math.max(first, Math.ceil((interval.to - from) * scale) - 1));
        for (const [name, count] of interval.counts) {
            const row = rates[rowOf.get(name)], rate = count / (interval.to - interval.from);
            if (row) for (let x = first; x <= last; x++) if (rate > row[x]) row[x] = rate;
        }
    }
    return rates;
}

function showStrip(state) {
    if (!intervals.length) return;
    const from = state.from === null ? 0 : state.from, to = state.to === null ? END : state.to;
    const names = byCount.slice(0, 12).map(r => r.name);
    const canvas = $("strip"), ratio = window.devicePixelRatio || 1;
    const width = canvas.parentElement.clientWidth, height = names.length * STRIP_ROW + 16;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = height + "px";
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const left = stripLeft(), columns = Math.max(1, stripRight() - left);
    const rates = stripRates(names, from, to, columns);
    let most = 0;
    for (const row of rates) for (const rate of row) if (rate > most) most = rate;
    context.font = "11px sans-serif";
    context.textBaseline = "middle";
    names.forEach((name, i) => {
        const y = i * STRIP_ROW;
        context.fillStyle = tint("--text");
        context.textAlign = "right";
        context.fillText(name, left - 6, y + STRIP_ROW / 2);
        context.fillStyle = tint("--empty");
        context.fillRect(left, y, columns, STRIP_ROW - 1);
        context.fillStyle = colourOf(name);
        for (let x = 0; x < columns; x++) {
            if (!rates[i][x]) continue;
            context.globalAlpha = Math.min(1, 0.2 + 0.8 * rates[i][x] / most); // the palest: at least one exit
            context.fillRect(left + x, y, 1, STRIP_ROW - 1);
        }
        context.globalAlpha = 1;
    });
    context.fillStyle = tint("--faint");
    const y = names.length * STRIP_ROW + 8;
    context.textAlign = "left";
    context.fillText(seconds(from, 3) + " " + UNIT, left, y);
    context.textAlign = "right";
    context.fillText(seconds(to, 3) + " " + UNIT, left + columns, y);
    context.textAlign = "center";
    context.fillText(`palest: at least one exit … full colour: ${whole(most * HERTZ)} exits per ${UNIT} (linear, one scale)`, left + columns / 2, y);
}

// Dragging over the strip selects a span, too.
function dragStrip() {
    const canvas = $("strip");
    let start = null;
    const timeAt = event => {
        const state = readState(), from = state.from === null ? 0 : state.from, to = state.to === null ? END : state.to;
        const part = (event.offsetX - stripLeft()) / (stripRight() - stripLeft());
        return from + Math.min(1, Math.max(0, part)) * (to - from);
    };
    canvas.addEventListener("pointerdown", event => { start = [event.offsetX, timeAt(event)]; });
    canvas.addEventListener("pointerup", event => {
        if (!start || Math.abs(event.offsetX - start[0]) < 4) return;
        const [from, to] = [start[1], timeAt(event)].sort((a, b) => a - b);
        start = null;
        goTo(spanWords(from, to));
    });
    canvas.addEventListener("dblclick", () => goTo({from: null, to: null}));
}
