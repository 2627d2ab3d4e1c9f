# Exits so far, a layer a reason, one on the other, on a linear scale: a burst is a step, and how high it is is its share.
here = ARG0[1:strlen(ARG0) - strlen('report-totals.gp')]
load here . 'report-style.gp'
columns = system("wc -l <" . data . "/columns") + 0
last(i) = real(system(sprintf("tail -n 1 %s/totals | cut -f %d", data, i + 1)))
all = sum [i = 1:columns] last(i)
label(i) = sprintf('%s %.0f, %.1f %%', name(i), last(i), 100 * last(i) / all)
set title 'Exits so far by reason — ' . title_text noenhanced
set xlabel unit eq 'seconds' ? 'seconds since the guest was started' : unit . ' since the guest was started'
set ylabel 'exits so far'
names = 1
load here . 'report-marks.gp'
set tmargin 7
set title offset 0, 3.5
set key outside right top vertical samplen 1.5 spacing 1.25 noenhanced
set style fill solid 0.9 noborder
stats data . '/totals' using 1 nooutput name 'time'
set xrange [0:time_max * 1.01]
set yrange [0:*]
set format y '%.0f'
plot for [c = columns:1:-1] data . '/totals' using 1:(sum [i = 2:c + 1] column(i)) \
    with filledcurves y1=0 linecolor rgb colour(c) title label(c)
