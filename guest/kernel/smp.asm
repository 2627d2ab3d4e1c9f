; Start of another CPU: real mode at AP_PAGE, where smp.c copies this, to smp_enter() in 64-bit mode.
; What the CPU was like at first is left in smp_first.

default rel
extern pml4, smp_enter, smp_stacks
global smp_code, smp_code_end, smp_ticket, smp_first, smp_efer

AP_PAGE      equ 0x6000                 ; smp.h agrees
STACK_SIZE   equ 8192
CR0_PE_PG_WP equ 0x80010001
CR0_CD_NW    equ 0x60000000
CR4_PAE      equ 0x20
IA32_EFER    equ 0xC0000080

%define AT(x) (AP_PAGE + (x) - smp_code) ; segments begin at 0 but for CS
%define HERE(x) ((x) - smp_code)

section .rodata
align 16
bits 16
smp_code:
    mov [cs:HERE(smp_first.eax)], eax
    mov word [cs:HERE(smp_first.cs)], cs
    mov sp, AT(stack)                   ; SS is 0
    pushfd
    pop dword [cs:HERE(smp_first.eflags)]
    mov eax, cr0
    mov [cs:HERE(smp_first.cr0)], eax
    mov eax, cr4
    mov [cs:HERE(smp_first.cr4)], eax
    mov eax, dr0
    mov [cs:HERE(smp_first.dr0)], eax
    mov ecx, IA32_EFER
    rdmsr
    mov [cs:HERE(smp_first.efer)], eax

    mov ebx, 1
    lock xadd [cs:HERE(smp_ticket)], ebx
    o32 lgdt [cs:HERE(gdt_pointer)]
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, pml4
    mov cr3, eax
    mov eax, [cs:HERE(smp_efer)]
    wrmsr
    mov eax, cr0
    and eax, ~CR0_CD_NW & 0xFFFFFFFF
    or eax, CR0_PE_PG_WP
    mov cr0, eax
    jmp dword 8:AT(in_64)

bits 64
in_64:
    mov eax, 16
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov edi, ebx                        ; smp_enter(ticket)
    inc ebx
    imul ebx, STACK_SIZE
    lea rsp, [abs smp_stacks + rbx]
    mov eax, smp_enter
    call rax
    ud2

align 8
gdt:
    dq 0
    dq 0x00AF9B000000FFFF               ; 64-bit code
    dq 0x00CF93000000FFFF               ; data
.end:
gdt_pointer:
    dw gdt.end - gdt - 1
    dd AT(gdt)
smp_efer:                               ; with LME
    dd 0
smp_ticket:                             ; the number of the CPU that comes next
    dd 0
smp_first:
.eax:    dd 0
.cs:     dd 0
.eflags: dd 0
.cr0:    dd 0
.cr4:    dd 0
.dr0:    dd 0
.efer:   dd 0
    dq 0, 0
stack:
smp_code_end:

section .note.GNU-stack noalloc noexec nowrite progbits
