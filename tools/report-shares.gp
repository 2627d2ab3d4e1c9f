# Shares: of the exits' number and of the time spent on them, two bars a reason.
here = ARG0[1:strlen(ARG0) - strlen('report-shares.gp')]
load here . 'report-style.gp'
rows = system("wc -l <" . data . "/reasons") + 0
rows = rows > 12 ? 12 : rows
set title 'Share of the number of exits and of the time they took — ' . title_text noenhanced
set xlabel 'percent'
set yrange [rows + 0.6:0.4]
set xrange [0:*]
unset grid
set ytics noenhanced scale 0
set lmargin 23
set rmargin 4
set grid xtics linecolor rgb '#dddddd' linetype 1
set key bottom right samplen 1.5
set style fill solid 0.9 noborder
set datafile separator "\t"
set offsets 0, 3, 0, 0
pale = 0x90000000  # the second bar of a reason is its colour, paler
h = 0.36
plot data . '/reasons' every ::0::11 using (0):($1 - h / 2):(0):4:($1 - h):($1):9:ytic(2) \
        with boxxyerror linecolor rgb variable notitle, \
    '' every ::0::11 using (0):($1 + h / 2):(0):5:($1):($1 + h):($9 + pale) \
        with boxxyerror linecolor rgb variable notitle, \
    NaN with boxes linecolor rgb '#555555' title 'of the number of exits (upper bar)', \
    NaN with boxes linecolor rgb 0x90555555 title 'of the ticks (lower, paler)', \
    '' every ::0::11 using 4:($1 - h / 2):(sprintf(' %.1f %%', $4)) with labels left font ',10' notitle, \
    '' every ::0::11 using 5:($1 + h / 2):(sprintf(' %.1f %%', $5)) with labels left font ',10' notitle
