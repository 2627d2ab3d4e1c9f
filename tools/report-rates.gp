# Exits per second over the run: areas stacked by reason, and the guest's marks.
here = ARG0[1:strlen(ARG0) - strlen('report-rates.gp')]
load here . 'report-style.gp'
columns = system("wc -l <" . data . "/columns") + 0
name(i) = system(sprintf("sed -n %dp %s/columns", i, data))
set title 'Exits per second by reason — ' . title_text noenhanced
set xlabel unit eq 'seconds' ? 'seconds since the guest was started' : unit . ' since the guest was started'
set ylabel unit eq 'seconds' ? 'exits per second' : 'exits per 10⁹ ticks'
load here . 'report-marks.gp'
set key outside right top vertical invert samplen 1.5 noenhanced
set style fill solid 0.9 noborder
set yrange [0:*]
set format y '%.0s%c'
# Column c's area reaches from the sum below it to the sum with it, in steps: a sample is a mean.
plot for [c = columns:1:-1] data . '/rates' using 1:(sum [k = 2:c + 1] column(k)) \
    with fillsteps linecolor rgb colour[c == columns && columns > 7 ? 8 : c] title name(c)
