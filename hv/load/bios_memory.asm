; INT 15h as the guest's real-mode software finds it: the questions about memory are answered from the
; guest's own map, all others go on to the BIOS. Copied to the start of a page; bios_memory.c fills in
; what follows the code. The registers are those that ACPI, 'INT 15H, E820H - Query System Address Map',
; and the BIOSes' common practice for the older functions give.

global bios_memory_code, bios_memory_answers

SMAP        equ 0x534D4150
ENTRY_SIZE  equ 20
NOT_THERE   equ 0x86
CARRY       equ 1
ENABLED     equ 1                       ; the extended attribute of a range that counts

%define AT(label) cs:label - bios_memory_code

struc answers                           ; struct answers in bios_memory.c
    .bios:         resd 1
    .kib_to_16m:   resw 1
    .blocks_above: resw 1
    .kib_88:       resw 1
    .count:        resw 1
    .entries:
endstruc
%define ANSWER(field) AT(bios_memory_answers) + answers.%+field

section .rodata
bits 16
align 8
bios_memory_code:
    cmp ax, 0xE820
    je map_entry
    cmp ax, 0xE801
    je sizes
    cmp ah, 0x88
    je old_size
    cmp ax, 0xE881                      ; rarer ones would tell of all memory: as on a BIOS without them
    je not_there
    cmp ax, 0xDA88
    je not_there
    cmp ah, 0x8A
    je not_there
    cmp ah, 0xC7
    je not_there
    jmp far [ANSWER(bios)]

; EBX = index, ECX = room at ES:DI, EDX = 'SMAP'. Out: EAX = 'SMAP', ECX = length, EBX = next index or 0.
map_entry:
    cmp edx, SMAP
    jne not_there
    cmp ecx, ENTRY_SIZE
    jb not_there
    movzx eax, word [ANSWER(count)]
    cmp ebx, eax
    jae not_there
    push ds
    push si
    push di
    push cs
    pop ds
    imul si, bx, ENTRY_SIZE
    add si, bios_memory_answers - bios_memory_code + answers.entries
    cld
    mov eax, ecx
    mov ecx, ENTRY_SIZE
    rep movsb
    mov cl, ENTRY_SIZE
    cmp eax, ENTRY_SIZE + 4
    jb .copied
    mov eax, ENABLED
    stosd
    mov cl, ENTRY_SIZE + 4
.copied:
    pop di
    pop si
    pop ds
    inc bx
    cmp bx, [ANSWER(count)]
    jb .more
    xor ebx, ebx
.more:
    mov eax, edx
    jmp success

; AX, CX = KiB from 1 to 16 MiB; BX, DX = blocks of 64 KiB from 16 MiB on.
sizes:
    mov ax, [ANSWER(kib_to_16m)]
    mov bx, [ANSWER(blocks_above)]
    mov cx, ax
    mov dx, bx
    jmp success

; AX = KiB from 1 MiB on.
old_size:
    mov ax, [ANSWER(kib_88)]

; The flags that IRET restores: above BP, IP and CS.
success:
    push bp
    mov bp, sp
    and byte [bp + 6], ~CARRY
    pop bp
    iret

not_there:
    mov ah, NOT_THERE
    push bp
    mov bp, sp
    or byte [bp + 6], CARRY
    pop bp
    iret

bios_memory_answers:                    ; in the page
times -(($ - bios_memory_code) / 257) nop ; an error if the code has more than CODE_MAX bytes

section .note.GNU-stack noalloc noexec nowrite progbits
