# What the pictures have in common. A reason's colour is that of tools/page/colours, as on the page.
if (kind eq 'png') {
    set terminal pngcairo size 1200,640 font 'DejaVu Sans,12' background 'white'
} else {
    set terminal svg size 1200,640 font 'DejaVu Sans,14' background 'white'
}
set output out
set encoding utf8
name(i) = system(sprintf("sed -n %dp %s/columns | cut -f 1", i, data))
colour(i) = system(sprintf("sed -n %dp %s/columns | cut -f 2", i, data))
set border 3 linecolor rgb '#444444'
set tics nomirror
set grid ytics linecolor rgb '#dddddd' linetype 1
