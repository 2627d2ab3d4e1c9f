; Where another CPU starts: real mode, at the page that its SIPI named. smp.c copies this there, with CR3 of tables
; that map the page. SDM vol. 3, 'MP Initialization Example'.
HIGH equ 0xFFFFFFFF80000000
%define AT(x) ((x) - ap_start)          ; offset within the page

%include "hv/host/long_mode.inc"

extern ap_main

        section .rodata
        align 16
        global ap_start, ap_end, ap_cr3
        bits 16
ap_start:
        cli
        cld
        mov ax, cs
        mov ds, ax
        movzx ebx, ax
        shl ebx, 4                      ; linear address of the page
        lea eax, [ebx + AT(gdt)]
        mov [AT(gdt_register) + 2], eax
        lea eax, [ebx + AT(start32)]
        mov [AT(to_32)], eax
        lea eax, [ebx + AT(start64)]
        mov [AT(to_64)], eax
        o32 lgdt [AT(gdt_register)]
        mov eax, cr0
        or al, CR0_PE
        mov cr0, eax
        jmp dword far [AT(to_32)]
        bits 32
start32:
        mov ax, 16
        mov ds, ax
        mov ss, ax
        ENTER_LONG_MODE [ebx + AT(ap_cr3)]
        jmp far [ebx + AT(to_64)]
        bits 64
start64:
        mov rax, ap_enter
        jmp rax

        align 8
gdt:    dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF, 0x00209A0000000000
gdt_register:
        dw gdt_register - gdt - 1
        dd 0
to_32:  dd 0
        dw 8
to_64:  dd 0
        dw 24
ap_cr3: dd 0
ap_end:

        section .text
; The mailbox names the block of this CPU; whoever takes it, owns it.
extern ap_mailbox
ap_enter:
        xor eax, eax
        xchg [rel ap_mailbox], rax
        test rax, rax
        jz .late
        mov rdi, rax
        lea rsp, [rax + CPU_VCPU]       ; the stack ends where the vCPU begins
        xor ebp, ebp
        call ap_main
        ud2
.late:  cli
        hlt
        jmp .late
