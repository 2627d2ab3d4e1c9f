# Exits per second over the run, a strip a reason, all on one logarithmic scale; and the marks of the guest.
here = ARG0[1:strlen(ARG0) - strlen('report-rates.gp')]
load here . 'report-style.gp'
columns = system("wc -l <" . data . "/columns") + 0
seconds = unit eq 'seconds'
what = seconds ? 'Exits per second' : 'Exits per 10⁹ ticks'
set style fill solid 0.9 noborder
set logscale y
top = 0.0
do for [c = 1:columns] {
    stats data . '/rates' using c + 1 nooutput name 'column'
    top = column_max > top ? column_max : top
}
stats data . '/rates' using 1 nooutput name 'time'
set yrange [1:(top > 10 ? top * 2 : 20)]
set xrange [0:time_max]
set ytics ('10' 10, '1k' 1000, '100k' 100000) font ',9'
set format x ''
set lmargin at screen 0.21
set rmargin at screen 0.97
upper = system("cat " . data . "/marks 2>/dev/null | wc -l") + 0 > 0 ? 0.8 : 0.92 # room for the names of marks
height = (upper - 0.11) / columns
set multiplot
do for [c = 1:columns] {
    set tmargin at screen upper - (c - 1) * height
    set bmargin at screen upper - c * height + 0.012
    unset title
    unset label
    names = c == 1
    load here . 'report-marks.gp'
    set label 100 name(c) at graph -0.055, 0.5 right noenhanced
    if (c == 1) { set label 101 what . ' by reason (each strip logarithmic, from 1) — ' . title_text at screen 0.5, 0.97 center noenhanced }
    if (c == columns) {
        set format x '%g'
        set xlabel unit . ' since the guest was started'
    }
    plot data . '/rates' using 1:(column(c + 1) <= 0 ? 1 : column(c + 1) < 1.6 ? 1.6 : column(c + 1)) with fillsteps \
        linecolor rgb colour(c) notitle
}
unset multiplot
