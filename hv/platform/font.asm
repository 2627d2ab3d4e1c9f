; What tools/font makes: 95 glyphs from the space on, of 16 lines of 8 points.
        section .rodata
        global font
font:   incbin "font.bin"
