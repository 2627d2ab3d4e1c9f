# The records of a trace (`trace-export text`), counted by phase and site, for tools/phases.
# -v keys=FILE: what trace_keys in tools/common.sh prints; -v marks=FILE: lines `ticks name`

BEGIN {
    CONVFMT = OFMT = "%.17g" # see tools/log.awk
    FS = OFS = "\t"
    while ((getline line < keys) > 0) { split(line, f, "\t"); site[f[5]] = f[6] OFS f[7] OFS f[1] }
    name[0] = "(start)"
    while ((getline line < marks) > 0) {
        begin[++phases] = line + 0
        sub(/^[0-9]+ /, "", line)
        name[phases] = line
    }
    p = 0
}
{
    while (p < phases && $1 >= begin[p + 1]) p++
    exits[p, site[$4]]++
    cycles[p, site[$4]] += $3
    any[p] = 1
    last = $1
}

function row(p, what, n, c) { print p, name[p], begin[p] + 0, p < phases ? begin[p + 1] : last, what, n, c }
END {
    for (k in exits) { split(k, f, SUBSEP); row(f[1], f[2], exits[k], cycles[k]) }
    for (p = 0; p <= phases; p++) if (!(p in any)) row(p, "-" OFS "-" OFS "-", 0, 0)
}
