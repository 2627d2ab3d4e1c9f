# The phases of tools/phases as rows of the report's table, like report.awk's of samples, but with functions. -v scale=TICKS a unit
{
    note($1, $5, $6, $7, $8)
    name[$1] = $2; from[$1] = $3; to[$1] = $4; last = $1
}
END {
    for (p = 0; p <= last; p++) {
        span = sprintf("%.6f", to[p] / scale) - sprintf("%.6f", from[p] / scale)
        if (span <= 0 && !sum[p]) continue
        printf "| %s | %.6f | %.6f | %.0f | %s | %s |\n", name[p], from[p] / scale, span, sum[p],
            (span > 0 ? sprintf("%.0f", sum[p] / span) : "-"), causes(p, 3, 1)
    }
}
