; build/tally.elf, which boot loaders take: multiboot 1 and 2 headers, and the image of Tally, packed. It lies
; behind the memory of the image (boot/unpack.ld) and is not needed any more when that runs.

extern image_start, start, unpack_image

        section .multiboot progbits alloc noexec nowrite align=8
multiboot1:
MB1_FLAGS equ (1 << 1) | (1 << 0)       ; memory map, modules on page boundaries
        dd 0x1BADB002, MB1_FLAGS, -(0x1BADB002 + MB1_FLAGS)

        align 8
multiboot2:
        dd 0xE85250D6, 0, multiboot2_end - multiboot2
        dd -(0xE85250D6 + (multiboot2_end - multiboot2))
        dw 6, 0                         ; modules on page boundaries
        dd 8
        dw 0, 0
        dd 8
multiboot2_end:

        section .text
        bits 32
; In: EAX = the loader's magic, EBX = physical address of its information: both are for the image.
        global unpack
unpack: cld
        mov esp, stack_end
        push eax
        push packed
        push image_start
        call unpack_image
        add esp, 8
        pop eax
        mov ecx, start
        jmp ecx

        section .rodata
packed: incbin "tally.packed"

        section .bss nobits
        resb 1024
stack_end:
