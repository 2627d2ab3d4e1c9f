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
h = 0.36
plot data . '/reasons' every ::0::11 using (0):($1 - h / 2):(0):4:($1 - h):($1):ytic(2) \
        with boxxyerror linecolor rgb colour[1] title 'of the number of exits', \
    '' every ::0::11 using (0):($1 + h / 2):(0):5:($1):($1 + h) \
        with boxxyerror linecolor rgb colour[2] title 'of the ticks', \
    '' every ::0::11 using 4:($1 - h / 2):(sprintf(' %.1f %%', $4)) with labels left font ',10' notitle, \
    '' every ::0::11 using 5:($1 + h / 2):(sprintf(' %.1f %%', $5)) with labels left font ',10' notitle
