# Hold a run against a budget: the files are tools/compare's old and new, then the budget.
# Status 1: over, or stale; 2: a line that is no line of a budget's.

function bad(text) {
    printf "compare: %s:%.0f: %s\n", budget, FNR, text > "/dev/stderr"
    failed = 2
    exit 2
}

# Splits reason[/detail][@function].
function read_limit(text,    at) {
    reason = text; detail = routine = ""
    if (match(reason, /@[^@]*$/)) { routine = substr(reason, RSTART + 1); reason = substr(reason, 1, RSTART - 1) }
    routine = routine_of(routine)
    at = index(reason, "/")
    if (at) { detail = substr(reason, at + 1); reason = substr(reason, 1, at - 1) }
}

function fits(key) {
    split(key, part, SUBSEP)
    return (reason == "*" || part[1] == reason) && (detail == "" || part[2] == detail) && (routine == "" || part[3] == routine)
}

# The sites that grew most among those of the line.
function name_growth(    i, key, best, told, most) {
    for (i = 1; i <= 3; i++) {
        best = ""; most = 0
        for (key in all) if (fits(key) && !(key in told) && all[key] - before[key] > most) { best = key; most = all[key] - before[key] }
        if (best == "") return
        told[best] = 1
        split(best, part, SUBSEP)
        printf "         %+.0f: %s %s%s (%.0f, before %.0f)\n", most, part[1], part[2], part[3] == "-" ? "" : " in " part[3], all[best], before[best]
    }
}

BEGIN {
    CONVFMT = OFMT = "%.17g" # see tools/log.awk
    while ((getline line < reasons) > 0)
        if (line ~ /^EXIT_REASON\(/) { sub(/^[^,]*, */, "", line); sub(/,.*/, "", line); known[line] = 1 }
    known["*"] = 1
}
FNR == 1 { file++ }
file < 3 {
    split($0, f, "\t")
    if (f[1] == "reason" && file == 2) total[f[4]] += f[5]
    if (f[1] == "reason" && file == 1) total_before[f[4]] += f[5]
    if (f[1] == "site") {
        key = f[4] SUBSEP f[2] SUBSEP f[3]
        if (file == 2) { all[key] += f[5]; sites = 1 } else before[key] += f[5]
    }
    next
}
{ sub(/#.*/, ""); gsub(/^[ \t]+|[ \t\r]+$/, "") }
$0 == "" { next }
{
    if ($NF !~ /^[0-9]+$/ || NF < 2) bad("'" $0 "' is not reason[/detail][@function] most")
    most = $NF + 0
    limit = $0
    sub(/[ \t]+[0-9]+$/, "", limit)
    read_limit(limit)
    if (!(reason in known)) bad("no reason '" reason "'; include/exit_reasons.def has them, * is all")
    if ((detail routine) != "" && !sites) bad("'" limit "' wants a run with sites=on")
    n = 0
    if ((detail routine) == "") { for (r in total) if (reason == "*" || r == reason) n += total[r] }
    else for (key in all) if (fits(key)) n += all[key]
    lines++
    if (n > most) { verdict = "over"; over++ }
    else if (2 * n < most) { verdict = "stale"; stale++ }
    else verdict = "ok"
    if (lines == 1) print "\nBudget " budget
    printf "%-7s %10.0f of %10.0f  %s\n", verdict, n, most, limit
    if (verdict == "over") name_growth()
}
END {
    if (failed) exit failed
    if (!lines) bad("no line of a budget")
    printf "%.0f lines: %.0f over, %.0f stale\n", lines, over, stale
    exit over || stale ? 1 : 0
}
