# Two files of tools/compare's, old and new, side by side.

BEGIN { CONVFMT = OFMT = "%.17g" } # see tools/log.awk

function signed(n) { return n > 0 ? sprintf("+%.0f", n) : sprintf("%.0f", n) }
function each(cycles, exits) { return exits ? int(cycles / exits + 0.5) : 0 }

# A row, only as wide as it must be; a number that means nothing is "-".
function row(old, new, exits, cycles, mean, what) { printf "%10s %10s  %10s  %12s  %11s  %s\n", old, new, exits, cycles, mean, what }

function head(title) {
    print "\n" title
    row("old", "new", "Δ exits ", "Δ cycles ", "Δ an exit ", "") # awk counts bytes: a blank for Δ's second
}

function numbers(key, what,    n, c, mean) {
    n = exits["new", key] - exits["old", key]
    c = cycles["new", key] - cycles["old", key]
    mean = "-"
    if (timed[key] && exits["old", key] && exits["new", key])
        mean = signed(each(cycles["new", key], exits["new", key]) - each(cycles["old", key], exits["old", key]))
    row(exits["old", key] + 0, exits["new", key] + 0, signed(n), timed[key] ? signed(c) : "-", mean, what)
}

function change(key,    n) { n = exits["new", key] - exits["old", key]; return n < 0 ? -n : n }
function change_cycles(key,    c) { c = cycles["new", key] - cycles["old", key]; return c < 0 ? -c : c }

# The keys of a kind whose state is `wanted` (changed, new, gone), most change first.
function table(kind, wanted, title,    i, j, n, key, told) {
    n = 0
    for (i = 1; i <= keys; i++) {
        key = order[i]
        if (kind_of[key] != kind || state(key) != wanted) continue
        list[++n] = key
        for (j = n; j > 1 && (change(list[j - 1]) < change(key) || \
             (change(list[j - 1]) == change(key) && change_cycles(list[j - 1]) < change_cycles(key))); j--)
            list[j] = list[j - 1]
        list[j] = key
    }
    if (!n) return 0
    head(title)
    for (i = 1; i <= n && (!rows || i <= rows); i++) numbers(list[i], name[list[i]])
    if (i <= n) printf "%10s and %.0f more\n", "", n - i + 1
    return n
}

function state(key) {
    if (!exits["old", key]) return "new"
    if (!exits["new", key]) return "gone"
    return change(key) || change_cycles(key) ? "changed" : "same"
}

FNR == 1 { run = run == "" ? "old" : "new" }
$1 == "about" { printf "%s: %s: %s", run, run == "old" ? old_log : new_log, $2 }
$1 == "kind" { what[run] = $2 }
$1 == "total" {
    printf ", %.0f exits, %.0f cycles\n", $2, $3
    exits[run, "all"] = $2; cycles[run, "all"] = $3; timed["all"] = 1
}
$1 ~ /^(reason|site|phase)$/ {
    key = $1 SUBSEP $4 SUBSEP $2 SUBSEP $3
    if (!(key in kind_of)) { kind_of[key] = $1; order[++keys] = key; name[key] = $1 == "site" ? $4 "  " $2 "  " $3 : $4 }
    exits[run, key] += $5
    if ($6 != "") { cycles[run, key] += $6; timed[key] = 1 }
    there[run, $1] = 1
    if ($1 == "reason" && $4 ~ /^(HLT|MWAIT|PAUSE)$/) { exits[run, "waiting"] += $5; cycles[run, "waiting"] += $6; timed["waiting"] = 1 }
    if ($1 == "site" && $4 == "IO_INSTRUCTION" && $2 ~ / 0x3f[89a-f]$/) {
        exits[run, "com1"] += $5; cycles[run, "com1"] += $6; timed["com1"] = 1
    }
}
END {
    if (what["old"] != what["new"]) print "the runs differ in profile or vCPUs: what changed may be that"
    head("By reason")
    for (r = 1; r <= keys; r++) if (kind_of[order[r]] == "reason" && state(order[r]) != "same") n = 1
    numbers("all", "all")
    if (timed["waiting"]) numbers("waiting", "  of these waiting (HLT, MWAIT, PAUSE)")
    if (timed["com1"]) numbers("com1", "  of these the console (ports 0x3f8 to 0x3ff)")
    for (i = 1; i <= keys; i++) if (kind_of[order[i]] == "reason") byreason[++m] = order[i]
    for (i = 2; i <= m; i++) { # few: by insertion
        key = byreason[i]
        for (j = i; j > 1 && change(byreason[j - 1]) < change(key); j--) byreason[j] = byreason[j - 1]
        byreason[j] = key
    }
    for (i = 1; i <= m; i++) if (state(byreason[i]) != "same") numbers(byreason[i], name[byreason[i]]); else same++
    if (same) printf "%10s the same in both: %.0f reasons\n", "", same
    if (there["old", "site"] && there["new", "site"]) {
        found = table("site", "changed", "By reason, detail, function")
        found += table("site", "new", "New")
        found += table("site", "gone", "Gone")
        if (!found) print "\nNo site differs."
    } else print "\nDetails and functions are in logs of runs with sites=on."
    if (there["old", "phase"] && there["new", "phase"]) {
        head("By mark")
        for (i = 1; i <= keys; i++) if (kind_of[order[i]] == "phase") numbers(order[i], name[order[i]])
    }
}
