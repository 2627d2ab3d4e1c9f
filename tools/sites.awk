# The sites of what tools/log.awk reads (and tools/detail.awk), those of all vCPUs added up unless by_vcpu is set, with tabs between:
#   address of 16 digits, mode, reason, detail, exits, cycles, min, max[, vCPU]

function add(key,    min, max) {
    if (by_vcpu) key = key "\t" value("vcpu")
    min = value("min") + 0; max = value("max") + 0
    if (!(key in made)) { key_of[++keys] = key; least[key] = min; most[key] = max }
    made[key] += value("count"); spent[key] += value("cycles")
    if (min < least[key]) least[key] = min
    if (max > most[key]) most[key] = max
}

/^\{"tally":"begin"/ { split("", made); split("", spent); keys = 0 }
/^\{"site":/ {
    rip = substr(value("rip"), 3)
    add(value("reason") "\t" plain_detail(value("reason"), value("detail")) "\t" substr("0000000000000000", 1, 16 - length(rip)) rip "\t" value("mode"))
}
/^\{"other":/ && value("count") > 0 { add(value("other") "\tother\t0000000000000000\t-") }

END {
    if (failed) exit 1
    if (!keys) fatal("the report has no sites (sites=on)")
    OFS = "\t"
    for (i = 1; i <= keys; i++) {
        key = key_of[i]
        split(key, part, "\t")
        print part[3], part[4], label(part[1]), part[2], made[key], spent[key], least[key], most[key] (by_vcpu ? "\t" part[5] : "")
    }
}
