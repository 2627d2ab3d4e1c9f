; A multiboot guest of one page: asks the example's VMCALL twice and ends the run with the verdict.
bits 32
org 0x100000

MAGIC equ 0x1BADB002
FLAGS equ 1 << 16                       ; the address fields below
PASSED equ 0x10
FAILED equ 0x11

header: dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header, header, 0, 0, start

start:  mov ebx, FAILED
        mov eax, 1                      ; the version of the statistics leaves
        vmcall
        cmp eax, 1
        jne .end
        mov eax, 77                     ; unknown
        vmcall
        cmp eax, 0xFFFFFFFF
        jne .end
        mov ebx, PASSED
.end:   mov eax, ebx
        out 0xF4, eax
.halt:  cli
        hlt
        jmp .halt
