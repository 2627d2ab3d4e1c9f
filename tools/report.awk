# What tools/log.awk has read, as the tables that the pictures and the page need:
#   facts    shell variables                         table    Markdown rows, most frequent first
#   reasons  rank name count count% ticks% min avg max colour   rates    time, then exits/s of each column's reason
#   totals   time, then exits so far                 marks    time name
#   phases   Markdown rows: what happened from each mark to the next
#   columns  names of the columns of rates and totals, and their colours
# -v colours=FILE: tools/page/colours
# Time is in seconds, or in 10^9 ticks where Tally did not know the TSC's frequency.

function quoted(text) {
    gsub(/'/, "", text)
    return "'" text "'"
}

# Reasons by falling count; returns how many there are.
function rank(    n, i, j, swap) {
    n = 0
    for (i in count) if (count[i] > 0) order[++n] = i
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && (count[order[j]] > count[order[j - 1]] ||
             (count[order[j]] == count[order[j - 1]] && order[j] + 0 < order[j - 1] + 0)); j--) {
            swap = order[j]; order[j] = order[j - 1]; order[j - 1] = swap
        }
    return n
}

function colour_of(reason) { return (reason in colour) ? colour[reason] : colour["others"] }

# A colour as one number, for gnuplot's `rgb variable`.
function rgb(text,    i, n) {
    for (i = 2; i <= 7; i++) n = 16 * n + index("0123456789ABCDEF", substr(text, i, 1)) - 1
    return n
}

# The median of what lies between two samples, in ticks, to 5 %.
function usual_interval(    s, d, bucket, buckets, at, least, left) {
    least = 1e9
    for (s = 2; s <= samples; s++) {
        d = when[s] - when[s - 1]
        if (d <= 0) continue
        bucket = int(log(d) / log(1.05))
        buckets[bucket]++; left++
        if (bucket < least) least = bucket
    }
    left /= 2
    for (at = least; left > 0; at++) left -= buckets[at]
    return exp(at * log(1.05))
}

# The shown reason that row r is plotted under: its own column, or the last one for 'others'.
function column(r) { return (r in place) ? place[r] : shown + 1 }

END {
    if (failed) exit 1
    while ((getline line < colours) > 0) if (split(line, f, " ") == 2) colour[f[1]] = f[2]
    n = rank()
    scale = khz ? khz * 1000 : 1e9
    unit = khz ? "seconds" : "10⁹ ticks"

    split("", total)
    for (i = 1; i <= n; i++) {
        r = order[i]; avg = ticks[r] / count[r]
        printf "%d\t%s\t%d\t%.3f\t%.3f\t%d\t%.1f\t%d\t%d\n", i, label(r), count[r], 100 * count[r] / exits,
            cycles ? 100 * ticks[r] / cycles : 0, low[r], avg, high[r], rgb(colour_of(r)) > (dir "/reasons")
        printf "| %s | %s | %d | %.1f | %d | %.1f | %d | %d | %d |\n", r, label(r), count[r],
            100 * count[r] / exits, ticks[r], cycles ? 100 * ticks[r] / cycles : 0, low[r], int(avg + 0.5), high[r] \
            > (dir "/table")
    }

    # The seven most frequent reasons have a column each, the others share one.
    shown = n < 8 ? n : 7
    for (i = 1; i <= shown; i++) { place[order[i]] = i; print label(order[i]) "\t" colour_of(order[i]) > (dir "/columns") }
    if (shown < n) print "others\t" colour["others"] > (dir "/columns")
    columns = shown < n ? shown + 1 : shown

    usual = usual_interval()
    for (s = 1; s <= samples; s++) {
        for (c = 1; c <= columns; c++) sum[c] = 0
        for (i = 1; i <= n; i++) sum[column(order[i])] += so_far[s, order[i]]
        time = when[s] / scale
        line_total = sprintf("%.6f", time)
        # A rate holds from here to the next row. What came before a gap came soon: a sample is taken at the first exit after it is due.
        start = (s > 1 ? when[s - 1] : 0) / scale
        span = time - start
        gap = span > 1.5 * usual / scale
        if (gap) span = usual / scale
        rates = none = ""
        for (c = 1; c <= columns; c++) {
            rates = rates "\t" (span > 0 ? (sum[c] - before[c]) / span : 0)
            none = none "\t0"
            line_total = line_total "\t" sum[c]
            before[c] = sum[c]
        }
        printf "%.6f%s\n", start, rates > (dir "/rates")
        if (gap) printf "%.6f%s\n", start + span, none > (dir "/rates")
        print line_total > (dir "/totals")
    }
    if (samples) print time none > (dir "/rates")
    for (m = 1; m <= marks; m++) printf "%.6f\t%s\n", mark_at[m] / scale, mark[m] > (dir "/marks")
    if (samples) phases()

    end = samples ? when[samples] : now
    if (now > end) end = now
    facts = dir "/facts"
    print "version=" quoted(version) > facts
    print "vcpus=" quoted(vcpus) "; profile=" quoted(profile) "; cpu=" quoted(cpu) > facts
    printf "exits=%d; cycles=%d; samples=%d; unit=%s\n", exits, cycles, samples, quoted(unit) > facts
    printf "duration=%.2f; share=%s\n", end / scale, end ? sprintf("%.2f", 100 * cycles / end / vcpus) : "'?'" > facts
}

# One row for each stretch between two marks, from the samples nearest to them.
function phases(    m, first, last, from, to, i, r, d, all, top, top_count, span) {
    for (m = 0; m <= marks; m++) {
        from = m ? mark_at[m] : 0
        to = m < marks ? mark_at[m + 1] : when[samples]
        first = nearest(from); last = nearest(to)
        all = top_count = 0; top = ""
        for (i = 1; i <= n; i++) {
            r = order[i]
            d = so_far[last, r] - so_far[first, r]
            all += d
            if (d > top_count) { top_count = d; top = label(r) }
        }
        span = (when[last] - when[first]) / scale
        if (span <= 0) continue
        printf "| %s | %.3f | %.3f | %d | %.0f | %s |\n", m ? mark[m] : "(start)", from / scale,
            (to - from) / scale, all, all / span, top ? top sprintf(" %.0f %%", 100 * top_count / all) : "-" \
            > (dir "/phases")
    }
}
