# A bar a reason: how many exits (left), and what one costs: least, mean and most ticks (right).
here = ARG0[1:strlen(ARG0) - strlen('report-reasons.gp')]
load here . 'report-style.gp'
rows = system("wc -l <" . data . "/reasons") + 0
set datafile separator "\t"
stats data . '/reasons' using 3 nooutput name 'count'
set yrange [rows + 0.6:0.4]
set style fill solid 0.9 noborder
set logscale x
set format x '%.0s%c'
unset grid
set ytics noenhanced scale 0
set grid xtics linecolor rgb '#dddddd' linetype 1
unset key
set multiplot layout 1, 2 title 'Number and cost of exits by reason — ' . title_text noenhanced
set title 'how many'
set xlabel 'exits (logarithmic)'
set xrange [0.8:count_max * 6]
set lmargin 24
set rmargin 2
plot data . '/reasons' using (0.8):1:(0.8):3:($1 - 0.35):($1 + 0.35):9:ytic(2) \
        with boxxyerror linecolor rgb variable, \
    '' using 3:1:(sprintf(' %d', $3)) with labels left font ',10'
set title 'what one costs: least ├ mean ● most ┤'
set xlabel 'ticks per exit (logarithmic)'
set lmargin 3
set rmargin 4
set format y ''
set xrange [*:*]
plot data . '/reasons' using 7:1:($6 > 0 ? $6 : 1):8:9 with xerrorbars pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb variable, \
    '' using 7:1:(sprintf('%.0f', $7)) with labels offset 0, 0.7 font ',9'
unset multiplot
