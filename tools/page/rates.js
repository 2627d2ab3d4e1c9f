// How often, when: exits of each reason between two samples (or in equal steps of the trace, where there is one of the whole run).

// A sample is taken at the first exit after it is due: what came before a gap came within one interval of the sample before.
const INTERVAL = (() => {
    const asked = /(?:^| )sample=(\d+)/.exec(options);
    if (asked && DATA.khz) return +asked[1] * DATA.khz;
    const steps = DATA.samples.slice(1).map((s, i) => s[0] - DATA.samples[i][0]).filter(n => n > 0).sort((a, b) => a - b);
    return steps.length ? steps[steps.length >> 1] : END;
})();

// Intervals {from, to, counts: Map name → exits}, in order of time, and without overlap.
const intervals = (() => {
    const made = [];
    if (wholeTrace) {
        const step = Math.max(1, Math.min(INTERVAL, END / 2000));
        for (let i = 0; i < trace.count; i++) {
            const number = Math.floor(trace.time[i] / step), reason = keys[trace.key[i]].reason;
            if (!made.length || made[made.length - 1].number !== number) made.push({number, from: number * step, to: (number + 1) * step, counts: new Map()});
            const counts = made[made.length - 1].counts;
            counts.set(reason, (counts.get(reason) || 0) + 1);
        }
        return made;
    }
    // The sample in front of a mark, or the first, may come at once: what is shorter than half an interval, and than is seen, goes to
    // what follows it.
    const least = Math.min(INTERVAL / 2, END / 500);
    let before = 0, counts = new Map();
    DATA.samples.forEach(([time, ...pairs], number) => {
        for (let i = 0; i < pairs.length; i += 2) {
            const name = reasons.get(pairs[i]).name;
            counts.set(name, (counts.get(name) || 0) + pairs[i + 1]);
        }
        const short = time - before < least;
        if (short && number + 1 < DATA.samples.length) return;
        if (counts.size) made.push({from: before, to: short ? before + least : time - before > INTERVAL * 1.5 ? before + INTERVAL : time, counts});
        before = time;
        counts = new Map();
    });
    return made;
})();

const byCount = [...reasons.values()].sort((a, b) => b.count - a.count);
const LINES = 7;
const lineNames = byCount.slice(0, LINES).map(r => r.name);
if (byCount.length > LINES) lineNames.push("others");
const lineColours = lineNames.map(name => name === "others" ? DATA.others : colourOf(name));
const lineOf = new Map(byCount.map((r, i) => [r.name, Math.min(i, LINES)]));

// Rows for dygraphs: a rate holds from its row to the next.
function rateRows() {
    const rows = [], zeros = lineNames.map(() => 0);
    let at = 0;
    for (const {from, to, counts} of intervals) {
        if (from > at || !rows.length) rows.push([at / HERTZ, ...zeros]);
        const row = zeros.slice();
        for (const [name, count] of counts) row[lineOf.get(name)] += count / ((to - from) / HERTZ);
        rows.push([from / HERTZ, ...row]);
        at = to;
    }
    rows.push([at / HERTZ, ...zeros]);
    if (END > at) rows.push([END / HERTZ, ...zeros]);
    return rows.filter((row, i) => i + 1 === rows.length || rows[i + 1][0] > row[0]);
}

// A bar an interval and reason, from its top in the stack down to the axis; reasons below it are drawn over it. At least a pixel
// wide, so that a short burst shows; nothing where there was nothing. Marks come last, over all bars.
function drawBars(e) {
    const bottom = e.dygraph.toDomYCoord(0), points = e.points;
    e.drawingContext.fillStyle = e.color;
    points.forEach((point, i) => {
        if (!(point.yval > 0)) return;
        const right = i + 1 < points.length ? points[i + 1].canvasx : point.canvasx;
        e.drawingContext.fillRect(point.canvasx, point.canvasy, Math.max(1, right - point.canvasx), bottom - point.canvasy);
    });
    if (e.seriesIndex === 0) drawMarks(e.drawingContext, e.plotArea, e.dygraph);
}

let graph = null, applying = false;
function showRates(state) {
    if (!intervals.length) {
        $("rates").textContent = "No time line: sample=MS on Tally's command line makes one.";
        return;
    }
    const span = state.from === null ? [0, END / HERTZ] : [state.from / HERTZ, state.to / HERTZ];
    const select = (from, to) => { if (!applying) goTo(from <= 0 && to >= END / HERTZ ? {from: null, to: null} : spanWords(Math.max(from, 0) * HERTZ, to * HERTZ)); };
    const look = {gridLineColor: tint("--line"), axisLineColor: tint("--line"), colors: lineColours};
    applying = true;
    if (!graph) {
        graph = new Dygraph($("rates"), rateRows(), {
            labels: ["time", ...lineNames], stackedGraph: true, stepPlot: true, plotter: drawBars,
            showRangeSelector: true, rangeSelectorHeight: 22, rangeSelectorPlotStrokeColor: "#888", rangeSelectorPlotFillColor: "#888",
            legend: "follow", ylabel: `exits per ${UNIT}`, axisLabelFontSize: 11, yRangePad: 2, includeZero: true,
            axes: {x: {valueFormatter: x => `${x.toFixed(4)} ${UNIT}`, axisLabelFormatter: x => `${+x.toPrecision(7)}${DATA.khz ? " s" : ""}`},
                y: {axisLabelWidth: 165, valueFormatter: y => y ? whole(y) : "0", axisLabelFormatter: y => y.toLocaleString("en")}},
            zoomCallback: (from, to) => select(from, to), animatedZooms: false, dateWindow: span, ...look,
        });
    } else graph.updateOptions({dateWindow: span, ...look});
    applying = false;
}

// A line a mark; a name only where there is room for it.
function drawMarks(context, area, g) {
    context.save();
    context.fillStyle = context.strokeStyle = tint("--text");
    context.font = "11px sans-serif";
    context.setLineDash([2, 3]);
    let free = -Infinity;
    for (const [name, time] of DATA.marks) {
        const x = Math.round(g.toDomXCoord(time / HERTZ)) + 0.5;
        if (x < area.x || x > area.x + area.w) continue;
        context.beginPath();
        context.moveTo(x, area.y);
        context.lineTo(x, area.y + area.h);
        context.stroke();
        const width = context.measureText(name).width, left = x + 3 + width > area.x + area.w ? x - width - 3 : x + 3;
        if (left < free) continue;
        context.fillText(name, left, area.y + 10);
        free = left + width + 6;
    }
    context.restore();
}
