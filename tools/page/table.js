// The table: a row a reason; an open row has its details below it, and an open detail its functions.

const COLUMNS = [
    ["name", "reason → detail → function", ""],
    ["count", "exits", "number"], ["share", "%", "of all exits shown"],
    ["cycles", "ticks", "TSC ticks spent in Tally"], ["time", "%", "of all ticks shown"],
    ["mean", "mean", "ticks an exit"], ["min", "min", "ticks"],
    ["p50", "p50", "ticks; half of the exits take no more"], ["p95", "p95", "ticks"], ["p99", "p99", "ticks"], ["max", "max", "ticks"],
];

function figure(of, column, tree) {
    switch (column) {
    case "name": return of.name;
    case "count": return of.count;
    case "share": return of.count;
    case "cycles": case "time": return tree.exact ? of.cycles : NaN;
    case "mean": return tree.exact ? of.cycles / of.count : NaN;
    case "min": case "max": return tree.exact && isFinite(of[column]) ? of[column] : NaN;
    default: return of.percentile ? of.percentile(+column.slice(1)) : NaN;
    }
}

function sorted(children, state, tree) {
    const sign = state.up ? 1 : -1;
    return [...children.values()].sort((a, b) => {
        const x = figure(a, state.sort, tree), y = figure(b, state.sort, tree);
        if (state.sort === "name") return sign * -(x < y ? -1 : x > y ? 1 : 0);
        return sign * ((isNaN(x) ? -1 : x) - (isNaN(y) ? -1 : y)) || b.count - a.count || (a.name < b.name ? -1 : 1);
    });
}

function cell(of, column, tree) {
    const value = figure(of, column, tree);
    if (column === "share") return percent(of.count, tree.count);
    if (column === "time") return tree.exact ? percent(of.cycles, tree.cycles) : "–";
    return isNaN(value) ? "–" : whole(value);
}

function tableRow(of, path, state, tree) {
    const depth = path.length, open = path.every((name, i) => state.open[i] === name);
    const label = depth === 2 && !isDetail(...path) ? "(no detail)" : depth === 3 && of.name === "-" ? "(no address: asynchronous)" : depth === 3 && of.name === "user" ? "(a process)" : of.name;
    const name = element("td", {class: "name depth" + depth});
    if (of.children.size) {
        name.append(element("a", {href: linkTo({open: (open ? path.slice(0, -1) : path).join("|")}), "aria-expanded": open},
            element("span", {class: "turn"}, open ? "▾" : "▸"), depth === 1 ? element("i", {style: `background:${colourOf(of.name)}`}) : "", label));
    } else name.append(element("span", {class: "leaf"}, depth === 1 ? element("i", {style: `background:${colourOf(of.name)}`}) : "", label));
    const row = element("tr", {"data-path": path.join("|")}, name);
    for (const [column] of COLUMNS.slice(1)) row.append(element("td", {"data-column": column}, cell(of, column, tree)));
    return row;
}

const MOST_ROWS = 200;
function addRows(to, of, path, state, tree) {
    let shown = 0;
    for (const next of sorted(of.children, state, tree)) {
        const here = [...path, next.name];
        if (shown++ >= MOST_ROWS) {
            to.append(element("tr", {}, element("td", {class: "name depth" + here.length, colspan: COLUMNS.length}, `and ${of.children.size - MOST_ROWS} more`)));
            return;
        }
        to.append(tableRow(next, here, state, tree));
        if (here.every((name, i) => state.open[i] === name)) addRows(to, next, here, state, tree);
    }
}

function showTable(state, tree) {
    const head = element("tr", {});
    for (const [column, title, hint] of COLUMNS) {
        const chosen = state.sort === column;
        head.append(element("th", {title: hint, "data-sort": column, "aria-sort": chosen ? (state.up ? "ascending" : "descending") : "none"},
            element("a", {href: linkTo({sort: column, up: chosen && !state.up ? "1" : null})}, title + (chosen ? (state.up ? " ▴" : " ▾") : ""))));
    }
    const body = element("tbody", {});
    addRows(body, tree, [], state, tree);
    const sum = tableRow({...tree, children: new Map(), name: "all"}, ["all"], state, tree);
    sum.className = "sum";
    sum.querySelector("i").remove();
    body.append(sum);
    fill("table", element("table", {}, element("thead", {}, head), body));
}
