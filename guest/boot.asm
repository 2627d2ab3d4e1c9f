; Start of the guest test kernel: from 32-bit protected mode, as a multiboot 1 loader leaves it, to
; main() in 64-bit mode with the first 4 GiB mapped one to one.

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x00010003          ; modules on pages, memory map, address fields

CR0_PE_PG    equ 0x80000001
CR0_WP       equ 0x00010000
CR0_CD_NW    equ 0x60000000
CR4_PAE      equ 0x20
IA32_EFER    equ 0xC0000080
EFER_LME     equ 0x100

PAGE_PRESENT equ 1
PAGE_WRITE   equ 2
PAGE_USER    equ 4
PAGE_LARGE   equ 0x80
PAGE_TABLE   equ PAGE_PRESENT | PAGE_WRITE | PAGE_USER

extern main, image_start, image_end, image_bss_end, pml4, page_directories
global start

section .multiboot align=4
multiboot_header:
    dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    dd multiboot_header, image_start, image_end, image_bss_end, start

section .text
bits 32
start:
    cli
    cld
    mov esp, boot_stack.top
    mov ebp, eax                        ; keep the loader's magic; EBX has its information

    ; Page tables: one PML4 entry, four directories of 2 MiB pages. Everything is open to ring 3:
    ; what the tests want closed lies in tables of their own.
    mov edi, pml4
    mov dword [edi], page_pointers + PAGE_TABLE
    mov eax, page_directories + PAGE_TABLE
    mov edi, page_pointers
    mov ecx, 4
.pointer:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .pointer

    mov eax, PAGE_LARGE | PAGE_TABLE
    mov edi, page_directories
    mov ecx, 4 * 512
.page:
    mov [edi], eax
    add eax, 2 << 20
    add edi, 8
    loop .page

    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, pml4
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    and eax, ~CR0_CD_NW & 0xFFFFFFFF    ; some firmware leaves the caches off
    or eax, CR0_PE_PG | CR0_WP
    mov cr0, eax
    lgdt [boot_gdt.pointer]
    jmp 8:start64

bits 64
start64:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov esp, boot_stack.top
    mov edi, ebp                        ; main(magic, information)
    mov esi, ebx
    xor ebp, ebp
    call main
.stop:
    cli
    hlt
    jmp .stop

section .rodata
align 8
boot_gdt:                               ; until descriptors.c loads the real one
    dq 0
    dq 0x00AF9B000000FFFF               ; 64-bit code
    dq 0x00CF93000000FFFF               ; data
.end:
.pointer:
    dw .end - boot_gdt - 1
    dd boot_gdt

section .bss
alignb 4096
page_pointers:    resb 4096
boot_stack:       resb 32768
.top:

section .note.GNU-stack noalloc noexec nowrite progbits
