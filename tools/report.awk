# What tools/log.awk has read, as the tables that the pictures and the page need:
#   facts    shell variables                         table    Markdown rows, most frequent first
#   reasons  rank name count count% ticks% min avg max colour   rates    time, then exits/s of each column's reason
#   totals   time, then exits so far                 marks    time name
#   phases   Markdown rows: what happened from each mark to the next
#   when     reason, the shortest span with half of its exits: time and length; length of the run
#   columns  names of the columns of rates and totals, and their colours
# -v colours=FILE: tools/page/colours; -v asked=MS: sample=, where it is known
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

# As Tally's own table has it: a half is rounded up.
function percent(part, all) { return all ? int(1000 * part / all + 0.5) / 10 : 0 }

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

    for (i = 1; i <= n; i++) {
        r = order[i]; avg = ticks[r] / count[r]
        printf "%.0f\t%s\t%.0f\t%.3f\t%.3f\t%.0f\t%.6f\t%.0f\t%.0f\n", i, label(r), count[r], 100 * count[r] / exits,
            cycles ? 100 * ticks[r] / cycles : 0, low[r], avg, high[r], rgb(colour_of(r)) > (dir "/reasons")
        printf "| %s | %s | %.0f | %.1f | %.0f | %.1f | %.0f | %.0f | %.0f |\n", r, label(r), count[r],
            percent(count[r], exits), ticks[r], percent(ticks[r], cycles), low[r], int(avg + 0.5), high[r] \
            > (dir "/table")
    }

    # The seven most frequent reasons have a column each, the others share one.
    shown = n < 8 ? n : 7
    for (i = 1; i <= shown; i++) { place[order[i]] = i; print label(order[i]) "\t" colour_of(order[i]) > (dir "/columns") }
    if (shown < n) print "others\t" colour["others"] > (dir "/columns")
    columns = shown < n ? shown + 1 : shown

    rows(asked && khz ? asked * khz : usual_interval())
    for (m = 1; m <= marks; m++) { # a name only where there is room for it
        room = m == 1 || mark_at[m] - named_at >= 0.025 * when[samples]
        if (room) named_at = mark_at[m]
        printf "%.6f\t%s\n", mark_at[m] / scale, room ? mark[m] : "" > (dir "/marks")
    }
    if (samples) { phases(); for (i = 1; i <= n; i++) half(order[i]) }

    end = samples ? when[samples] : now
    if (now > end) end = now
    facts = dir "/facts"
    print "version=" quoted(version) > facts
    print "vcpus=" quoted(vcpus) "; profile=" quoted(profile) "; cpu=" quoted(cpu) > facts
    printf "exits=%.0f; cycles=%.0f; samples=%.0f; unit=%s\n", exits, cycles, samples, quoted(unit) > facts
    printf "scale=%.0f\n", scale > facts
    printf "duration=%.2f; share=%s\n", end / scale, end ? sprintf("%.2f", 100 * cycles / end / vcpus) : "'?'" > facts
}

# Rates and totals. A rate holds from its row to the next. What came before a gap came soon: a sample is taken at the first exit
# after it is due. Of a long run a row is several samples, with the highest rate of each reason, so that a burst keeps its height.
function rows(usual,    s, c, i, time, start, since, span, gap, held, many, least) {
    many = int((samples + 899) / 900)
    least = usual / 2 < when[samples] / 500 ? usual / 2 : when[samples] / 500
    for (s = 1; s <= samples; s++) {
        for (c = 1; c <= columns; c++) sum[c] = 0
        for (i = 1; i <= n; i++) sum[column(order[i])] += so_far[s, order[i]]
        time = when[s] / scale
        start = since
        span = time - start
        if (span < least / scale) { # in front of a mark: to what follows
            if (s < samples) continue
            span = least / scale
        }
        since = time
        gap = span > 1.5 * usual / scale
        if (gap) span = usual / scale
        if (!held++) first_start = start
        for (c = 1; c <= columns; c++) {
            rate = span > 0 ? (sum[c] - before[c]) / span : 0
            if (rate > peak[c]) peak[c] = rate
            before[c] = sum[c]
        }
        if (held < many && !gap && s < samples) continue
        put_row("rates", first_start, peak)
        if (gap) put_row("rates", start + span, nothing)
        put_row("totals", time, sum)
        split("", peak)
        held = 0
    }
    if (samples) put_row("rates", time, nothing)
}

function put_row(file, time, values,    c) {
    printf "%.6f", time > (dir "/" file)
    for (c = 1; c <= columns; c++) printf "\t%.1f", values[c] > (dir "/" file)
    print "" > (dir "/" file)
}

function half(r,    first, last, best, from, need) {
    need = so_far[samples, r] / 2
    for (last = 1; last <= samples; last++) {
        while (first + 1 < last && so_far[last, r] - so_far[first + 1, r] >= need) first++
        if (so_far[last, r] - so_far[first, r] < need || (best != "" && when[last] - when[first] >= best)) continue
        best = when[last] - when[first]
        from = when[first]
    }
    if (best) printf "%s\t%.3f\t%.3f\t%.3f\n", label(r), from / scale, best / scale, when[samples] / scale > (dir "/when")
}

# One row for each stretch between two marks, from the samples nearest to them; the last goes to the end of the run. Of the
# columns the second is the difference of the first, and the fourth the third by the second, as they are shown.
function phases(    m, first, from, to, end, i, r, d, all, top, top_count, span) {
    end = now > when[samples] ? now : when[samples]
    for (m = 0; m <= marks; m++) {
        from = m ? mark_at[m] : 0
        to = m < marks ? mark_at[m + 1] : end
        first = nearest(from)
        all = top_count = 0; top = ""
        for (i = 1; i <= n; i++) {
            r = order[i]
            d = (m < marks ? so_far[nearest(to), r] : count[r]) - so_far[first, r]
            all += d
            if (d > top_count) { top_count = d; top = label(r) }
        }
        span = sprintf("%.6f", to / scale) - sprintf("%.6f", from / scale)
        if (span <= 0 && !all) continue
        printf "| %s | %.6f | %.6f | %.0f | %s | %s |\n", m ? mark[m] : "(start)", from / scale, span, all,
            (span > 0 ? sprintf("%.0f", all / span) : "-"), top ? top sprintf(" %.0f %%", 100 * top_count / all) : "-" \
            > (dir "/phases")
    }
}
