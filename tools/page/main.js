// The sentences on top, the controls, the facts at the bottom; and all of it anew when the address changes.

// The shortest span with half of the times in it.
function halfOf(times) {
    const half = Math.ceil(times.length / 2);
    let best = [0, Infinity];
    for (let i = 0; i + half <= times.length; i++)
        if (times[i + half - 1] - times[i] < best[1] - best[0]) best = [times[i], times[i + half - 1]];
    return best;
}

// When the exits of a leaf happen: from the trace; else from its reason's in the samples, if the leaf is most of them.
function whenOf(path, tree) {
    if (wholeTrace) {
        const times = [];
        for (let i = 0; i < trace.count; i++) {
            const key = keys[trace.key[i]];
            if (key.reason === path[0] && key.detail === path[1] && key.where === path[2]) times.push(trace.time[i]);
        }
        return times.length > 1 ? halfOf(times) : null;
    }
    const reason = tree.children.get(path[0]);
    if (!intervals.length || reason.children.get(path[1]).children.get(path[2]).count < 0.8 * reason.count) return null;
    const parts = intervals.map(part => ({...part, n: part.counts.get(path[0]) || 0}));
    const need = parts.reduce((sum, part) => sum + part.n, 0) / 2;
    let best = null, sum = 0;
    for (let i = 0, j = 0; j < parts.length; j++) {
        sum += parts[j].n;
        for (; sum - parts[i].n >= need; i++) sum -= parts[i].n;
        if (sum >= need && (!best || parts[j].to - parts[i].from < best[1] - best[0])) best = [parts[i].from, parts[j].to];
    }
    return best;
}

function largestLeaf(tree) {
    let best = null;
    for (const reason of tree.children.values()) for (const detail of reason.children.values()) for (const where of detail.children.values())
        if (!best || where.count > best.of.count) best = {path: [reason.name, detail.name, where.name], of: where};
    return best;
}

function showSentence() {
    const tree = wholeTree("", false), leaf = largestLeaf(tree);
    if (leaf) {
        const where = leaf.path[2] === "-" ? [] : leaf.path[2] === "user" ? [" in processes"] : [" in ", element("code", {}, leaf.path[2])];
        fill("sentence", element("b", {}, `${percent(leaf.of.count, tree.count)} % of the exits are ${leaf.path[0]}`, ...(isDetail(...leaf.path) ? [" ", element("code", {}, leaf.path[1])] : []), ...where),
            `: ${whole(leaf.of.count)} of ${whole(tree.count)}`);
        const when = whenOf(leaf.path, tree);
        if (when && when[1] - when[0] > 0.3 * END) $("sentence").append(", spread over the run.");
        else if (when) {
            const margin = Math.max((when[1] - when[0]) / 4, END / 10000);
            $("sentence").append(", half of them within ", element("a", {href: linkTo(spanWords(Math.max(0, when[0] - margin), when[1] + margin))},
                `${duration(when[1] - when[0])} from ${seconds(when[0], 3)} ${UNIT} on`), ".");
        } else $("sentence").append(".");
    } else fill("sentence", element("b", {}, `${whole(DATA.exits)} exits`), ". Details and functions are in runs with sites=on.");
    let idle = 0, console_ = 0;
    for (const [name, reason] of tree.children) {
        if (WAITING.includes(name)) idle += reason.count;
        for (const [detail, of] of reason.children) if (isConsole(name, detail)) console_ += of.count;
    }
    const rare = byCount.filter(r => r.count).slice(-3).reverse();
    fill("facts", `${whole(DATA.exits)} exits in ${duration(END)}, ${whole(DATA.exits / (END / HERTZ))} per ${UNIT}; ` +
        `${percent(DATA.cycles, END * DATA.vcpus)} % of the time of ${DATA.vcpus === 1 ? "one vCPU" : DATA.vcpus + " vCPUs"} is Tally's. ` +
        `Waiting (HLT, MWAIT, PAUSE): ${percent(idle, tree.count)} %. ` + (DATA.sites.length ? `The console (ports 0x3f8–0x3ff): ${percent(console_, tree.count)} %. ` : "") +
        `Least frequent: ${rare.map(r => `${r.name} ${whole(r.count)}`).join(", ")}.`);
}

function showControls(state, tree) {
    const toggle = (text, on, change, id) => element("a", {class: on ? "on" : "", href: linkTo(change), id, role: "button", "aria-pressed": on}, text);
    const from = element("input", {id: "from", size: 8, value: state.from === null ? "" : (state.from / HERTZ).toFixed(6), placeholder: "0", "aria-label": "from"});
    const to = element("input", {id: "to", size: 8, value: state.to === null ? "" : (state.to / HERTZ).toFixed(6), placeholder: (END / HERTZ).toFixed(3), "aria-label": "to"});
    const set = () => { if (to.value || from.value) goTo({from: from.value || "0", to: to.value || String(END / HERTZ)}); };
    from.addEventListener("change", set);
    to.addEventListener("change", set);
    const cpus = DATA.vcpus > 1 ? ["vCPU ", toggle("all", state.cpu === "", {cpu: null}, "cpu-all"),
        ...Array.from({length: DATA.vcpus}, (_, i) => toggle(String(i), state.cpu === String(i), {cpu: i}, "cpu-" + i))] : [];
    fill("controls", element("span", {}, "From ", from, " to ", to, ` ${UNIT} `, toggle("whole run", state.from === null, {from: null, to: null}, "whole")),
        element("span", {}, ...cpus),
        element("span", {}, toggle("without waiting and console", state.awake, {awake: state.awake ? null : "1"}, "awake")));
    fill("by", toggle("exits", state.by === "count", {by: null}, "by-exits"), toggle("ticks", state.by === "cycles", {by: "cycles"}, "by-ticks"));
    const words = {
        sites: "Whole run: counts and ticks are exact; percentiles are from histograms, at most 12.5 % off.",
        both: "Whole run: counts and ticks are exact; so are percentiles, from the records of the trace.",
        counters: "Whole run: counts and ticks are exact. Details and functions are in runs with sites=on.",
        trace: "This span: exact, from the records of the trace, percentiles too.",
        samples: `This span, from the samples around it: ${seconds(tree.from || 0, 6)} to ${seconds(tree.to || 0, 6)} ${UNIT}, all vCPUs. Samples count reasons only; trace=MIB has the rest.`,
        none: "Nothing is known of this span: sample=MS or trace=MIB.",
    };
    fill("source", words[tree.source] + (tree.exact ? " Mean to max: ticks of one exit." : "") + (state.cpu === "" ? "" : " The time line is of all vCPUs.") + (lostRecords ? ` The trace lacks ${whole(lostRecords)} exits.` : "") + (DATA.cut ? ` Of the trace's records the page has the first ${whole(trace.count)}, the exports have all.` : ""));
}

function showProvenance() {
    const rows = [["run", DATA.title], ["command", DATA.run ? DATA.run.command : "(not kept)"]];
    if (DATA.run) rows.push(["machine", `${DATA.run.platform}, ${DATA.run.cpus} CPU, ${DATA.run.mem} MB`], ["kernel", DATA.run.kernel],
        ["kernel's SHA-256", DATA.run.kernel_sha256], ["Tally's options", DATA.run.options]);
    rows.push(["Tally", `${DATA.version}, profile ${DATA.profile}`], ["CPU", DATA.cpu], ["TSC", DATA.khz ? `${whole(DATA.khz)} kHz` : "not known"],
        ["samples", DATA.samples.length ? `${whole(DATA.samples.length)}, one about every ${duration(INTERVAL)}` : "none"],
        ["trace", trace.count ? `${whole(trace.count)} records, ${whole(lostRecords)} lost` : "none"]);
    fill("provenance", ...rows.map(([name, text]) => element("tr", {}, element("th", {}, name), element("td", {}, text))));
}

function showCpus() {
    if (DATA.vcpus < 2 || !(DATA.sites.length || DATA.parts.length)) return;
    const rows = Array.from({length: DATA.vcpus}, (_, i) => {
        const tree = wholeTree(String(i), false), most = [...tree.children.values()].sort((a, b) => b.count - a.count)[0];
        return element("tr", {}, ...[i, whole(tree.count), percent(tree.count, DATA.exits), whole(tree.cycles), percent(tree.cycles, DATA.cycles),
            most ? `${most.name} ${percent(most.count, tree.count)} %` : "–"].map(text => element("td", {}, String(text))));
    });
    fill("cpus", element("h2", {}, "By vCPU"), element("table", {}, element("thead", {}, element("tr", {},
        ...["vCPU", "exits", "%", "ticks", "%", "most frequent"].map(text => element("th", {}, text)))), element("tbody", {}, ...rows)));
}

function show() {
    const state = readState(), tree = treeOf(state);
    showControls(state, tree);
    showTable(state, tree);
    showIcicle(state, tree);
    showRates(state);
    showStrip(state);
    document.body.dataset.shown = location.hash || "#";
}

document.title = `${DATA.title}: exits`;
showSentence();
showProvenance();
showCpus();
show();
dragStrip();
window.addEventListener("hashchange", show);
window.addEventListener("resize", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
