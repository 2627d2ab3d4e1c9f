# What tools/log.awk has read, with sites, histograms and trace, as the object DATA of the page's script.
# Before the log on awk's line: -v colours=FILE -v sites=FILE (function, offset, address, mode, reason, detail, exits, cycles, min,
# max, vCPU, from tools/functions) -v keys=FILE (function, offset, address, mode, number, reason, detail)
# -v run=FILE (JSON) -v title=TEXT; a name that is empty: there is none.

# A string of JavaScript's, harmless in HTML.
function quote(text) {
    gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); gsub(/</, "\\u003c", text); gsub(/[\001-\037]/, " ", text)
    return "\"" text "\""
}

function item(text) { printf "%s%s", separator, text; separator = ",\n" }
function list(name) { printf ",\n%s: [\n", name; separator = "" }

# Runs of equal strings are frequent: each is written once, and numbered.
function word(text) {
    if (!(text in word_number)) { word_number[text] = words; word_text[words++] = text }
    return word_number[text]
}

function put_samples(    s, group, line, r, d, last) {
    # The page's time line has at most LIMIT rows: of a long run, several samples are one.
    group = int((samples + LIMIT - 1) / LIMIT)
    list("samples")
    for (s = 1; s <= samples; s++) {
        if (s % group && s < samples && !(when[s] in mark_time)) continue
        line = sprintf("[%.0f", when[s])
        for (r in count) {
            d = so_far[s, r] - so_far[last, r]
            if (d) line = line "," r "," d
        }
        last = s
        item(line "]")
    }
    print "]"
}

# Beyond ROWS a site is in its reason's row of the rest, so that sums stay true.
function put_sites(    line, f, key, n) {
    list("sites")
    while (sites != "" && (getline line < sites) > 0) {
        split(line, f, "\t")
        if (++n > ROWS) {
            key = f[5] "\t" f[11]
            rest_count[key] += f[7]; rest_cycles[key] += f[8]
            if (!(key in rest_min) || f[9] < rest_min[key]) rest_min[key] = f[9]
            if (f[10] > rest_max[key]) rest_max[key] = f[10]
            continue
        }
        sub(/^0+/, "", f[3])
        item(sprintf("[%.0f,%.0f,%.0f,%.0f,\"%s\",%.0f,%.0f,%.0f,%.0f,%.0f,%.0f]", number_of[f[5]], word(f[6]), word(f[1]), f[2], f[3], word(f[4]), f[11], f[7], f[8], f[9], f[10]))
    }
    for (key in rest_count) {
        split(key, f, "\t")
        item(sprintf("[%.0f,%.0f,%.0f,0,\"\",%.0f,%.0f,%.0f,%.0f,%.0f,%.0f]", number_of[f[1]], word("the rest"), word("-"), word("-"), f[2], rest_count[key], rest_cycles[key], rest_min[key], rest_max[key]))
    }
    print "]"
}

/^\{"tally":"begin"/ { split("", histogram); histograms = parts = 0 }
/^\{"histogram":/ {
    buckets = $0
    sub(/.*"buckets":/, "", buckets); sub(/\}$/, "", buckets)
    histogram[++histograms] = "[" value("histogram") "," value("vcpu") "," buckets "]"
}
/^\{"vcpu":[0-9]+,"reason":/ {
    part[++parts] = "[" value("vcpu") "," value("reason") "," value("count") "," value("cycles") "," value("min") "," value("max") "]"
}
/^\{"trace":/ { lost[value("vcpu")] = value("lost") }

END {
    if (failed) exit 1
    LIMIT = 6000; ROWS = 12000
    while ((getline line < colours) > 0) if (split(line, f, " ") == 2) colour[f[1]] = f[2]
    for (m = 1; m <= marks; m++) mark_time[mark_at[m]] = 1
    printf "const DATA = {title: %s, version: %s, profile: %s, vcpus: %.0f, cpu: %s, khz: %.0f, tsc: %.0f, exits: %.0f, cycles: %.0f", \
        quote(title), quote(version), quote(profile), vcpus, quote(cpu), khz, now, exits, cycles
    line = ""
    if (run != "") getline line < run
    gsub(/</, "\\u003c", line)
    printf ",\nrun: %s,\nothers: %s", line == "" ? "null" : line, quote(colour["others"])
    list("reasons")
    for (r in count) {
        item(sprintf("[%.0f,%s,%.0f,%.0f,%.0f,%.0f,%s]", r, quote(label(r)), count[r], ticks[r], low[r], high[r], quote(r in colour ? colour[r] : colour["others"])))
        number_of[label(r)] = r
    }
    print "]"
    list("parts"); for (i = 1; i <= parts; i++) item(part[i]); print "]"
    list("histograms"); for (i = 1; i <= histograms; i++) item(histogram[i]); print "]"
    list("marks"); for (m = 1; m <= marks; m++) item("[" quote(mark[m]) "," mark_at[m] "]"); print "]"
    put_samples()
    put_sites()
    list("keys")
    while (keys != "" && (getline line < keys) > 0) {
        split(line, f, "\t")
        item(sprintf("[%.0f,%.0f,%.0f,%.0f]", f[5], number_of[f[6]], word(f[7]), word(f[1])))
    }
    print "]"
    list("lost"); for (i = 0; i < vcpus; i++) item(lost[i] == "" ? -1 : lost[i]); print "]"
    list("words"); for (i = 0; i < words; i++) item(quote(word_text[i])); print "]"
    print "};"
}
