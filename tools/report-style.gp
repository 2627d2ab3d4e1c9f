# What the pictures have in common. Colours are told apart by most colour-blind readers (Okabe and Ito).
if (kind eq 'png') {
    set terminal pngcairo size 1200,640 font 'DejaVu Sans,12' background 'white'
} else {
    set terminal svg size 1200,640 font 'DejaVu Sans,14' background 'white'
}
set output out
set encoding utf8
array colour[8] = [0x0072B2, 0xE69F00, 0x009E73, 0xCC79A7, 0xD55E00, 0x56B4E9, 0xF0E442, 0x999999]
set border 3 linecolor rgb '#444444'
set tics nomirror
set grid ytics linecolor rgb '#dddddd' linetype 1
