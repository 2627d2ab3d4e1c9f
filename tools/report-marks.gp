# A dotted line for each mark; its name, where there is room for it, slants above the plot, clear of the curves, if `names` is 1.
marks = system("cat " . data . "/marks 2>/dev/null | wc -l") + 0
do for [m = 1:marks] {
    x = real(system(sprintf("sed -n %dp %s/marks | cut -f1", m, data)))
    label = system(sprintf("sed -n %dp %s/marks | cut -f2-", m, data))
    set arrow m from x, graph 0 to x, graph 1 nohead dashtype 3 linecolor rgb '#222222' front
    if (names) { set label m label at x, graph 1.015 left rotate by 40 font ',11' noenhanced }
}
