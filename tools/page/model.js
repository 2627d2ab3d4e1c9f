"use strict";
// What the page knows, and what of it lies in a span of time: a tree reason → detail → function with counts.

const HERTZ = DATA.khz ? DATA.khz * 1000 : 1e9;
const UNIT = DATA.khz ? "s" : "10⁹ ticks";
const WAITING = ["HLT", "MWAIT", "PAUSE"];
const CONSOLE_PORTS = / 0x3f[89a-f]$/;
const isConsole = (reason, detail) => reason === "IO_INSTRUCTION" && CONSOLE_PORTS.test(detail);
const isIdle = (reason, detail) => WAITING.includes(reason) || isConsole(reason, detail);
// Most reasons have nothing to tell beside the instruction; 0x0 is then no detail.
const NUMBERED = /^(CPUID|RDMSR|WRMSR|RDMSRLIST|WRMSRLIST|APIC_ACCESS|APIC_WRITE|VMCALL|MWAIT|UMWAIT|TPAUSE|INVPCID|INVVPID|INVEPT)$/;
const isDetail = (reason, detail) => detail !== "0x0" || NUMBERED.test(reason);
const options = DATA.run ? DATA.run.options : "";
const keepsLast = /trace=\d+,last/.test(options);
const reasons = new Map(DATA.reasons.map(([number, name, count, cycles, min, max, colour]) =>
    [number, {number, name, count, cycles, min, max, colour}]));
const colourOf = name => ([...reasons.values()].find(r => r.name === name) || {colour: DATA.others}).colour;
const lastSample = DATA.samples.length ? DATA.samples[DATA.samples.length - 1][0] : 0;

// The records of the trace, in order of time: one array a field.
function unpackTrace(base64) {
    const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
    let count = 0;
    for (const b of bytes) count += b < 128 ? 1 : 0;
    count /= 4;
    const trace = {count, time: new Float64Array(count), key: new Uint32Array(count), cycles: new Uint32Array(count), vcpu: new Uint8Array(count)};
    let at = 0, now = 0;
    const number = () => {
        let value = 0, scale = 1, byte;
        do { byte = bytes[at++]; value += (byte & 127) * scale; scale *= 128; } while (byte & 128);
        return value;
    };
    for (let i = 0; i < count; i++) {
        trace.time[i] = now += number();
        trace.key[i] = number();
        trace.cycles[i] = number();
        trace.vcpu[i] = number();
    }
    return trace;
}
const trace = unpackTrace(DATA.trace);
const keys = [];
for (const [number, reason, detail, where] of DATA.keys)
    keys[number] = {reason: reasons.get(reason).name, detail: DATA.words[detail], where: DATA.words[where]};
// With a ring the oldest are lost, else the newest; what is left covers all the time between.
const lostRecords = DATA.lost.reduce((sum, n) => sum + Math.max(n, 0), 0);
const traceFrom = !trace.count ? Infinity : lostRecords && keepsLast ? trace.time[0] : 0;
const traceTo = !trace.count ? -1 : (lostRecords && !keepsLast) || DATA.cut ? trace.time[trace.count - 1] : Infinity;
const wholeTrace = traceFrom === 0 && traceTo === Infinity;
const END = Math.max(lastSample, trace.count ? trace.time[trace.count - 1] + 1 : 0, DATA.samples.length ? 0 : DATA.tsc) || 1;

// The first record at or after a time.
function recordAt(time) {
    let low = 0, high = trace.count;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (trace.time[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
}

const node = name => ({name, count: 0, cycles: 0, min: Infinity, max: 0, children: new Map()});
function child(parent, name) {
    let found = parent.children.get(name);
    if (!found) parent.children.set(name, found = node(name));
    return found;
}
function add(to, count, cycles, min, max) {
    to.count += count;
    to.cycles += cycles;
    if (max > 0 && min < to.min) to.min = min; // the exit in which the run ends is counted and has no cycles
    if (max > to.max) to.max = max;
}
function addPath(tree, path, count, cycles, min, max) {
    add(tree, count, cycles, min, max);
    for (const name of path) add(tree = child(tree, name), count, cycles, min, max);
    return tree;
}

// The nearest rank of what was sorted.
const rank = (values, percent) => values[Math.max(0, Math.ceil(values.length * percent / 100) - 1)];

// From a histogram: the middle of a bucket, so at most 12.5 % off.
function histogramRank(buckets, percent, least, most) {
    const sum = buckets.reduce((n, [, count]) => n + count, 0);
    let left = Math.max(1, Math.ceil(sum * percent / 100));
    for (const [low, count] of buckets) {
        left -= count;
        if (left <= 0) {
            const width = low < 4 ? 1 : 2 ** (Math.floor(Math.log2(low)) - 2);
            return Math.min(most, Math.max(least, Math.floor(low + width / 2)));
        }
    }
    return NaN;
}

// All of the run: by sites where there are some, else by reasons.
function wholeTree(cpu, awake) {
    const tree = node("all"), left = new Set();
    tree.exact = true;
    for (const [reason, detail, where, , , , vcpu, count, cycles, min, max] of DATA.sites) {
        const path = [reasons.get(reason).name, DATA.words[detail], DATA.words[where]];
        if (cpu !== "" && vcpu !== +cpu) continue;
        if (awake && isIdle(path[0], path[1])) left.add(path[0]); else addPath(tree, path, count, cycles, min, max);
    }
    if (!DATA.sites.length && cpu === "")
        for (const r of reasons.values()) if (!awake || !WAITING.includes(r.name)) addPath(tree, [r.name], r.count, r.cycles, r.min, r.max);
    if (!DATA.sites.length && cpu !== "")
        for (const [vcpu, reason, count, cycles, min, max] of DATA.parts)
            if (vcpu === +cpu && !(awake && WAITING.includes(reasons.get(reason).name))) addPath(tree, [reasons.get(reason).name], count, cycles, min, max);
    for (const [number, vcpu, buckets] of DATA.histograms) {
        const of = tree.children.get(reasons.get(number).name);
        if (!of || left.has(of.name) || (cpu !== "" && vcpu !== +cpu)) continue; // a part of a histogram is not known
        of.buckets = of.buckets || new Map();
        for (const [low, n] of buckets) of.buckets.set(low, (of.buckets.get(low) || 0) + n);
    }
    for (const of of tree.children.values())
        if (of.buckets) {
            const sorted = [...of.buckets].sort((a, b) => a[0] - b[0]);
            of.percentile = percent => histogramRank(sorted, percent, of.min, of.max);
        }
    return tree;
}

// What the records of the trace say of a span.
function traceTree(from, to, cpu, awake) {
    const tree = node("all");
    tree.exact = true;
    const end = recordAt(to);
    for (let i = recordAt(from); i < end; i++) {
        if (cpu !== "" && trace.vcpu[i] !== +cpu) continue;
        const key = keys[trace.key[i]], cycles = trace.cycles[i];
        if (awake && isIdle(key.reason, key.detail)) continue;
        const leaf = addPath(tree, [key.reason, key.detail, key.where], 1, cycles, cycles, cycles);
        leaf.values = leaf.values || [];
        if (cycles) leaf.values.push(cycles);
    }
    const withValues = of => {
        for (const next of of.children.values()) withValues(next);
        const values = () => of.values || [...of.children.values()].flatMap(next => next.sorted);
        of.sorted = values().sort((a, b) => a - b);
        of.percentile = percent => of.sorted.length ? rank(of.sorted, percent) : NaN;
    };
    withValues(tree);
    return tree;
}

// The trace's percentiles for a tree of the same exits.
function borrowPercentiles(to, from) {
    if (!from || from.count !== to.count) return;
    to.percentile = from.percentile;
    for (const [name, next] of to.children) borrowPercentiles(next, from.children.get(name));
}

// What the samples around a span say: counts of reasons, no more.
function sampleTree(from, to, awake) {
    const tree = node("all");
    let first = 0, last = DATA.samples.length - 1;
    while (first + 1 < DATA.samples.length && DATA.samples[first + 1][0] <= from) first++;
    while (last > 0 && DATA.samples[last - 1][0] >= to) last--;
    const start = DATA.samples[0][0] > from ? -1 : first; // before the first sample all counts are 0
    for (let s = start + 1; s <= last; s++)
        for (let i = 1; i < DATA.samples[s].length; i += 2)
            if (!awake || !WAITING.includes(reasons.get(DATA.samples[s][i]).name)) addPath(tree, [reasons.get(DATA.samples[s][i]).name], DATA.samples[s][i + 1], 0, NaN, NaN);
    tree.from = start < 0 ? 0 : DATA.samples[start][0];
    tree.to = DATA.samples[last][0];
    return tree;
}

function treeOf(state) {
    if (state.from === null) {
        const tree = wholeTree(state.cpu, state.awake), records = wholeTrace ? traceTree(0, Infinity, state.cpu, state.awake) : null;
        borrowPercentiles(tree, records);
        return Object.assign(tree, {source: !DATA.sites.length ? "counters" : tree.percentile ? "both" : "sites"});
    }
    if (state.from >= traceFrom && state.to <= traceTo)
        return Object.assign(traceTree(state.from, state.to, state.cpu, state.awake), {source: "trace"});
    if (DATA.samples.length) return Object.assign(sampleTree(state.from, state.to, state.awake), {source: "samples"});
    return Object.assign(node("all"), {source: "none"});
}
