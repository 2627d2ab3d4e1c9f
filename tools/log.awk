# The last report in a saved console, for the programs of tools/ that follow on awk's line (-v who=PROGRAM):
#   version vcpus profile cpu khz now exits cycles     what its first and last line say
#   name[r] count[r] ticks[r] low[r] high[r]           of each reason
#   samples when[s] so_far[s, r]; marks mark[m] mark_at[m]   the time line, ticks from the guest's start
# A log without a whole report is an error.

# Counts go beyond 2^31, where mawk writes 3e+09 for a number that it is not told how to write, and stops at %d.
BEGIN { CONVFMT = OFMT = "%.17g" }

# The value of "key" in the line: a number or a string without its quotes.
function value(key,    rest) {
    if (!match($0, "\"" key "\":")) return ""
    rest = substr($0, RSTART + RLENGTH)
    if (rest ~ /^"/) { sub(/^"/, "", rest); sub(/".*/, "", rest) }
    else sub(/[,}].*/, "", rest)
    return rest
}

function fatal(text) {
    print who ": " text > "/dev/stderr"
    failed = 1
    exit 1
}

function label(reason) { return (reason in name) ? name[reason] : "reason " reason }

# What a sample adds to the one before it. (Logs until November 2026 have what there was so far, as "exits".)
function sample_exits(    list, n, pairs, i, pair, r) {
    list = $0
    if (!sub(/.*"more":\{/, "", list)) { sub(/.*"exits":\{/, "", list); split("", total) }
    sub(/\}.*/, "", list)
    n = split(list, pairs, ",")
    for (i = 1; i <= n; i++) {
        split(pairs[i], pair, ":")
        gsub(/[" ]/, "", pair[1])
        total[pair[1]] += pair[2]
    }
    for (r in total) so_far[samples, r] = total[r]
}

# The last sample at or before the time; 0, where all counts are 0, before the first.
function nearest(time,    s) {
    for (s = samples; s > 0 && when[s] > time; s--)
        ;
    return s
}

/^\{"tally":"begin"/ {
    split("", count); split("", ticks); split("", low); split("", high); split("", name)
    split("", when); split("", so_far); split("", mark); split("", mark_at); split("", total)
    samples = marks = whole = 0
    version = value("version"); vcpus = value("vcpus"); profile = value("profile"); cpu = value("cpu")
    khz = value("tsc_khz") + 0; now = value("tsc") + 0
    begun = 1
}
/^\{"reason":/ {
    r = value("reason"); name[r] = value("name"); count[r] = value("count") + 0
    ticks[r] = value("cycles") + 0; low[r] = value("min") + 0; high[r] = value("max") + 0
}
/^\{"sample":/ { samples++; when[samples] = value("tsc") + 0; sample_exits() }
/^\{"mark":/ { marks++; mark[marks] = value("mark"); mark_at[marks] = value("tsc") + 0 }
/^\{"tally":"end"/ && begun { exits = value("exits") + 0; cycles = value("cycles") + 0; whole = 1 }

END {
    if (failed) exit 1
    if (!begun) fatal("the log has no report of Tally's (stats=json on Tally's command line)")
    if (!whole) fatal("the log's last report is cut: it has no end line")
    if (!exits) fatal("the report has no exits")
}
