# Exits per second over the run: all of them, one reason on the other, and below when each reason's are, in full colour where the
# rate is highest; both on a linear scale, so that a burst does not look like a trickle. And the marks of the guest.
here = ARG0[1:strlen(ARG0) - strlen('report-rates.gp')]
load here . 'report-style.gp'
columns = system("wc -l <" . data . "/columns") + 0
rates = data . '/rates'
per = unit eq 'seconds' ? 'second' : '10⁹ ticks'
stats rates using 1 nooutput name 'time'
most = 0.0
do for [c = 1:columns] {
    stats rates using c + 1 nooutput name 'column'
    most = column_max > most ? column_max : most
}

# A row's figures hold until the next; what is short is a pixel wide. `before` and `held`: of the row before.
pixel = time_max / 900
end_of(from, to) = to - from < pixel ? from + pixel : to
rgb(c) = system("printf %d 0x" . colour(c)[2:7]) + 0
channel(of, shift) = (of >> shift) & 255
faded(of, empty, part) = int(empty + (of - empty) * part + 0.5)
shade(of, part) = (faded(channel(of, 16), 238, part) << 16) + (faded(channel(of, 8), 241, part) << 8) + faded(channel(of, 0), 244, part)

set xrange [0:time_max]
set lmargin at screen 0.21
set rmargin at screen 0.97
upper = system("cat " . data . "/marks 2>/dev/null | wc -l") + 0 > 0 ? 0.84 : 0.92 # room for the names of marks
middle = 0.52
set style fill solid 1 noborder
set multiplot

set label 101 'Exits per ' . per . ' — ' . title_text at screen 0.5, 0.97 center noenhanced
set tmargin at screen upper
set bmargin at screen middle
set yrange [0:*]
set format x ''
set format y '%.0f'
set ylabel 'exits per ' . per
names = 1
load here . 'report-marks.gp'
plot for [c = columns:1:-1] before = 0, held = 0, rates using \
    (from = before, now = held, before = $1, held = (sum [i = 2:c + 1] column(i)), now > 0 ? from : NaN):(0):(from):(end_of(from, $1)):(0):(now) \
    with boxxyerror fillcolor rgb colour(c) notitle

unset label
unset arrow
set tmargin at screen middle - 0.03
set bmargin at screen 0.13
set yrange [columns:0]
unset ylabel
unset ytics
unset grid
set border 1
set format x '%g'
set xlabel sprintf('%s since the guest was started      (palest: at least one exit; full colour: %.0f a %s)', unit, most, per)
do for [c = 1:columns] {
    set object c rectangle from graph 0, first c - 0.95 to graph 1, first c - 0.05 fillcolor rgb '#eef1f4' fillstyle solid noborder behind
    set label c name(c) at graph -0.012, first c - 0.5 right noenhanced
}
# Twice: a burst lies over what comes next in its pixel.
plot for [turn = 0:1] for [c = 1:columns] before = 0, held = 0, of = rgb(c), rates using \
    (from = before, now = held, before = $1, held = column(c + 1), now > turn * most / 20 ? from : NaN):(c):(from):(end_of(from, $1)):(c - 0.95):(c - 0.05):(shade(of, 0.2 + 0.8 * now / most)) \
    with boxxyerror fillcolor rgb variable notitle
unset multiplot
