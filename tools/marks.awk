# The marks of what tools/log.awk has read, a line each: ticks, name. What the trace of the run has lost is an error.

/^\{"tally":"begin"/ { lost = 0 }
/^\{"trace":/ { lost += value("lost") }
END {
    if (failed) exit 1
    if (lost) fatal("the trace lacks " lost " exits: trace= more MIB")
    for (m = 1; m <= marks; m++) print mark_at[m], mark[m]
}
