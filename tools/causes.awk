# What makes the exits of a phase, in words: reason, its details where few make most of it, function. For awk programs that read
# lines of tools/phases: note() each, then causes(). Goes with tools/detail.awk.

function note(phase, reason, detail, routine, n,    who) {
    who = reason SUBSEP routine
    if (!((phase, who) in made)) who_of[phase, ++whos[phase]] = who
    made[phase, who] += n
    if (!((phase, who, detail) in part)) detail_of[phase, who, ++details[phase, who]] = detail
    part[phase, who, detail] += n
    sum[phase] += n
}

# The phase's `most` largest causes with their exits divided by `per`, in order; none below a fiftieth of its exits.
function causes(phase, most, per,    i, k, best, text, told) {
    for (k = 1; k <= most; k++) {
        best = ""
        for (i = 1; i <= whos[phase]; i++)
            if (!(who_of[phase, i] in told) && (best == "" || made[phase, who_of[phase, i]] > made[phase, best])) best = who_of[phase, i]
        if (best == "" || made[phase, best] < sum[phase] / 50 || made[phase, best] / per < 0.5) break
        told[best] = 1
        text = text (text == "" ? "" : "; ") cause(phase, best) sprintf(" %.0f", made[phase, best] / per)
    }
    return text == "" ? "none" : text
}

# Up to three details are named if they are nine in ten of it; `…` stands for the rest.
function cause(phase, who,    f, i, j, best, named, share, words, told) {
    split(who, f, SUBSEP)
    for (j = 1; j <= 3 && share < 0.9 * made[phase, who]; j++) {
        best = ""
        for (i = 1; i <= details[phase, who]; i++)
            if (!((phase, detail_of[phase, who, i]) in told) && (best == "" || part[phase, who, detail_of[phase, who, i]] > part[phase, who, best]))
                best = detail_of[phase, who, i]
        if (best == "") break
        told[phase, best] = 1
        share += part[phase, who, best]
        named = named (named == "" ? "" : ", ") best
    }
    words = f[1] (share >= 0.9 * made[phase, who] && is_detail(f[1], named) ? " `" named (share < made[phase, who] ? ", …" : "") "`" : "")
    return words (f[2] == "-" ? "" : f[2] == "user" ? " of processes" : " in `" f[2] "`")
}
