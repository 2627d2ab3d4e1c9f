; build/tally.elf, which boot loaders take: an ELF file with multiboot 1 and 2 headers, and in it the image
; of Tally packed by LZ4. It is loaded where the image belongs; so the packed image and its unpacker first
; move behind the memory of the image. Nobody needs them any more when the image runs.
HIGH equ 0xFFFFFFFF80000000
%define PHYS(x) ((x) - HIGH)

%include "image.inc"                    ; of the image: image_start, image_end, start

        org 0x100000
file_start:
        db 0x7F, "ELF", 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
        dw 2, 62                        ; executable, x86-64
        dd 1
        dq unpack, 64, 0                ; entry, program headers, no sections
        dd 0
        dw 64, 56, 1, 0, 0, 0
        dd 1, 7                         ; PT_LOAD, all rights
        dq 0, file_start, file_start, file_end - file_start, memory_end - file_start, 16

        align 8
; Address fields, not ELF, so that loaders for 32-bit images (QEMU's -kernel) take the file too.
MB1_FLAGS equ (1 << 16) | (1 << 1) | (1 << 0)
multiboot1:
        dd 0x1BADB002, MB1_FLAGS, -(0x1BADB002 + MB1_FLAGS)
        dd multiboot1, file_start, file_end, memory_end, unpack

        align 8
multiboot2:
        dd 0xE85250D6, 0, multiboot2_end - multiboot2
        dd -(0xE85250D6 + (multiboot2_end - multiboot2))
        dw 2, 0                         ; addresses
        dd 24, multiboot2, file_start, file_end, memory_end
        dw 3, 0                         ; entry
        dd 12, unpack, 0
        dw 6, 0                         ; modules on page boundaries
        dd 8
        dw 0, 0
        dd 8
multiboot2_end:

        bits 32
%define MOVED(x) (PHYS(image_end) + ((x) - unpack_image))
; In: EAX = the loader's magic, EBX = physical address of its information: both are for the image.
unpack: cld
        mov ebp, eax
        mov esi, unpack_image
        mov edi, MOVED(unpack_image)
        mov ecx, file_end - unpack_image
        rep movsb
        mov eax, MOVED(unpack_image)
        jmp eax

; A block of LZ4 is a row of: token, literals, distance and length of a copy of what is there already.
; The last has no copy. A length of 15 in the token goes on in bytes that are added, up to one below 255.
unpack_image:
        mov esp, MOVED(stack_end)
        mov esi, MOVED(packed)
        mov edi, PHYS(image_start)
.next:  movzx edx, byte [esi]           ; token: 7:4 literals, 3:0 copied bytes less 4
        inc esi
        mov ecx, edx
        shr ecx, 4
        call .length
        rep movsb
        cmp esi, MOVED(packed_end)
        jae .done
        movzx eax, word [esi]           ; the distance
        add esi, 2
        push eax
        mov ecx, edx
        and ecx, 15
        call .length
        add ecx, 4
        pop eax
        push esi
        mov esi, edi
        sub esi, eax
        rep movsb                       ; where both overlap, it repeats
        pop esi
        jmp .next
.done:  mov eax, ebp
        mov ecx, PHYS(start)
        jmp ecx

; ECX = a length from the token; out: with what follows at ESI. Changes EAX.
.length:
        cmp ecx, 15
        jne .known
.more:  movzx eax, byte [esi]
        inc esi
        add ecx, eax
        cmp eax, 255
        je .more
.known: ret

packed: incbin "tally.packed", 8        ; without the header of LZ4's legacy frame
packed_end:
        times 16 db 0
stack_end:
file_end:
memory_end equ MOVED(file_end)
