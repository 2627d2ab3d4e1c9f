// The icicle: all above, then reasons, details, functions; as wide as their share of exits or ticks.

const NARROWEST = 0.002; // of the whole width; what is narrower is drawn together

function showIcicle(state, tree) {
    const box = $("icicle"), by = tree.exact ? state.by : "count", all = tree[by];
    const bars = [];
    const open = state.open.length && tree.children.has(state.open[0]) ? state.open[0] : null; // only that reason, if one is open
    const top = open ? tree.children.get(open) : tree;
    const place = (of, path, left, colour, depth) => {
        const width = of[by] / top[by];
        if (!(width > 0)) return;
        bars.push({of, path, left, width, colour, depth});
        let at = left, rest = 0;
        for (const next of [...of.children.values()].sort((a, b) => b[by] - a[by])) {
            const part = next[by] / top[by];
            if (part < NARROWEST) { rest += part; continue; }
            place(next, [...path, next.name], at, colour || colourOf(next.name), depth + 1);
            at += part;
        }
        if (rest > NARROWEST) bars.push({of: null, path, left: at, width: rest, colour, depth: depth + 1});
    };
    if (all) place(top, open ? [open] : [], 0, open ? colourOf(open) : null, 0);
    const depth = open ? 3 : 4, label = by === "count" ? "exits" : "ticks";
    box.replaceChildren(...bars.map(bar => {
        const part = bar.of ? `${percent(bar.of[by], all)} %, ${whole(bar.of[by])} ${label}` : `${percent(bar.width * top[by], all)} %, what is too narrow`;
        const name = !bar.of ? "…" : bar.path.length === 2 && !isDetail(...bar.path) ? "no detail" : bar.of.name === "-" ? "no address" : bar.of.name === "user" ? "a process" : bar.of.name;
        const link = !bar.of || !bar.path.length ? "" : open && !bar.depth ? linkTo({open: null}) : linkTo({open: bar.path.slice(0, 2).join("|")});
        return element("a", {...(link ? {href: link} : {}), title: [...bar.path.slice(0, bar.of ? -1 : undefined), name].join(" → ") + ": " + part,
            style: `left:${100 * bar.left}%;width:${100 * bar.width}%;top:${100 * bar.depth / depth}%;height:${100 / depth}%;` +
                (bar.colour ? `background:color-mix(in srgb, ${bar.colour} ${bar.of ? 62 : 30}%, var(--page))` : "background:var(--empty)")},
            element("b", {}, name), element("span", {}, part));
    }));
    $("icicle-of").textContent = `${open || "all"}, ${label}`;
}
