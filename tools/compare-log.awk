# What tools/log.awk has read, as tools/compare wants it: the facts, a line a reason, a line a stretch between marks.

END {
    if (failed) exit 1
    OFS = "\t"
    print "about", "Tally " version ", profile " profile ", " vcpus (vcpus > 1 ? " vCPUs" : " vCPU")
    print "kind", profile " " vcpus
    print "total", exits, cycles
    for (r in count) if (count[r]) print "reason", "-", "-", label(r), count[r], ticks[r]
    if (!samples) exit
    for (m = 0; m <= marks; m++) {
        from = m ? nearest(mark_at[m]) : 0
        to = m < marks ? nearest(mark_at[m + 1]) : samples
        phase = "from " (m ? mark[m] : "the start")
        if (seen[phase]++) phase = phase " (" seen[phase] ")"
        sum = 0
        for (r in count) sum += so_far[to, r] - so_far[from, r]
        print "phase", "-", "-", phase, sum, ""
    }
}
