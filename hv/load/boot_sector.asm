; The guest's first code where the machine's own boot goes on by BIOS: reads a disk's boot sector and jumps
; to it as a BIOS does (BIOS Boot Specification, 'BAID Entry'). disk.c copies it to STUB, in memory that
; nobody needs once the sector runs, writes the lines behind it that say what went wrong, and starts it in
; real mode with DL = drive.

global boot_sector_code, boot_sector_lines

STUB        equ 0x7E00                  ; these two as in disk.c
LINE_SIZE   equ 128
SECTOR      equ 0x7C00
SIGNATURE   equ 0xAA55
COM1        equ 0x3F8
EXIT_PORT   equ 0xF4
TALLY_ERROR equ 0x12
LEAF_MARK   equ 0x4FFFFF10
ATTEMPTS    equ 3

%define AT(label) STUB + label - boot_sector_code

section .rodata
bits 16
align 8
boot_sector_code:
    sti
    cld
    mov sp, SECTOR
    mov di, ATTEMPTS
.read:
    pusha
    mov ax, 0x0201                      ; INT 13h, AH = 02h: one sector, the first, to ES:BX
    mov bx, SECTOR
    mov cx, 1
    mov dh, 0
    int 0x13
    popa
    jnc .is_read
    pusha
    mov ah, 0                           ; resets the drive
    int 0x13
    popa
    dec di
    jnz .read
    mov si, AT(boot_sector_lines)
    jmp refuse
.is_read:
    mov si, AT(boot_sector_lines) + LINE_SIZE
    cmp word [SECTOR + 510], SIGNATURE
    jne refuse
    push edx                            ; a mark in the time line, if there is one
    mov eax, LEAF_MARK
    mov ebx, 'boot'
    mov ecx, ' sec'
    mov edx, 'tor'
    xor esi, esi
    cpuid
    pop edx
    jmp 0:SECTOR

; SI = a line: to the screen by the BIOS and to COM1; ends the run.
refuse:
    lodsb
    test al, al
    jz .end
    pusha
    mov ah, 0x0E                        ; INT 10h: a letter as on a terminal
    mov bx, 7
    int 0x10
    popa
    mov ah, al
    mov dx, COM1 + 5
    xor cx, cx                          ; a missing UART must not hang the line
.wait:
    in al, dx
    test al, 0x20
    loopz .wait
    mov dx, COM1
    mov al, ah
    out dx, al
    jmp refuse
.end:
    mov eax, TALLY_ERROR
    mov dx, EXIT_PORT
    out dx, eax
    hlt

boot_sector_lines:                      ; in memory

section .note.GNU-stack noalloc noexec nowrite progbits
