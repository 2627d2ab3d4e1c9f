; Stands in for a kernel that GRUB refused: says so and goes on to the next (tests/loader/report.inc).
bits 32
org 0x100000
        dd 0x1BADB002, 0x10000, -(0x1BADB002 + 0x10000), 0x100000, 0x100000, file_end, 0, start
start:  mov dx, 0x3FB                   ; letters of 8 bits
        mov al, 3
        out dx, al
        mov esi, text
        mov dx, 0x3FD
.wait:  in al, dx
        test al, 0x20
        jz .wait
        lodsb
        mov dx, 0x3F8
        out dx, al
        mov dx, 0x3FD
        test al, al
        jnz .wait
.drain: in al, dx
        test al, 0x40
        jz .drain
        mov al, 0x7E
        out 0x70, al
        in al, 0x71
        inc al
        out 0x71, al
        mov dx, 0xCF9
        mov al, 2
        out dx, al
        mov al, 6                       ; a hard reset
        out dx, al
.halt:  cli
        hlt
        jmp .halt
text:   db 10, "@begin", 10, "refused", 10, "@end", 10, 0
file_end:
