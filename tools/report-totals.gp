# Exits so far, a line a reason on a logarithmic scale: steps are bursts.
here = ARG0[1:strlen(ARG0) - strlen('report-totals.gp')]
load here . 'report-style.gp'
columns = system("wc -l <" . data . "/columns") + 0
set title 'Exits so far by reason — ' . title_text noenhanced
set xlabel unit eq 'seconds' ? 'seconds since the guest was started' : unit . ' since the guest was started'
set ylabel 'exits so far (logarithmic)'
names = 1
load here . 'report-marks.gp'
set tmargin 9
set title offset 0, 5
set key outside right top vertical samplen 1.5 spacing 1.25 noenhanced
stats data . '/totals' using 1 nooutput name 'time'
set xrange [0:time_max * 1.01]
set logscale y
set yrange [1:*]
set format y '%.0s%c'
plot for [c = 1:columns] data . '/totals' using 1:(column(c + 1) > 0 ? column(c + 1) : NaN) \
    with lines linewidth 2 linecolor rgb colour(c) title name(c)
