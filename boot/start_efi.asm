; From GRUB under UEFI, whose boot services go on, to main(). In: EAX, EBX as for `start`; 64-bit mode with the
; firmware's tables and stack, interrupts on (UEFI, 'x64 Platforms'); at any address below 4 GiB. The firmware's page
; tables are copied at their top and see Tally where it is linked, too: so its services can be called.
%include "offsets.inc"

extern main, efi_boot_keep, boot_cpu, image_start, boot_pml4, boot_pdpt, boot_pdpt_high, boot_pds
boot_stack_top equ boot_cpu + CPU_VCPU

        section .boot progbits alloc exec nowrite align=16
        bits 64
        global start_efi
start_efi:
        pushfq                          ; struct efi_frame
        cli
        cld
        mov rsi, cr3
        push rsi
        mov r12d, eax
        mov r13d, ebx
        and rsi, ~0xFFF
        lea rdi, [rel boot_pml4]
        mov ecx, 512
        rep movsq
        lea rax, [rel boot_pdpt + 3]
        mov [rel boot_pml4 + 256 * 8], rax
        lea rax, [rel boot_pdpt_high + 3]
        mov [rel boot_pml4 + 511 * 8], rax
        ; As PML4 behind a PML5 it leads to itself: main() is reached with CR4.LA57, too, and says what is wrong.
        mov [rel boot_pdpt_high + 511 * 8], rax
        lea rax, [rel boot_pdpt + 3]
        mov [rel boot_pdpt_high + 256 * 8], rax
        lea rax, [rel boot_pd_high + 3]
        mov [rel boot_pdpt_high + 510 * 8], rax
        lea rax, [rel boot_pt_high + 3]
        mov [rel boot_pd_high], rax

%macro FILL 3                           ; a table with the first entry in RAX, a step, so many
        lea rdi, [rel %1]
        mov ecx, %3
%%next: stosq
        add rax, %2
        loop %%next
%endmacro
        lea rbx, [rel image_start]
        lea rax, [rbx + 3]
        FILL boot_pt_high + 256 * 8, 4096, 256
        lea rax, [rel boot_pds + 3]
        FILL boot_pdpt, 4096, 4
        mov eax, 0x83
        FILL boot_pds, 2 << 20, 4 * 512

        lea rax, [rel boot_pml4]
        mov cr3, rax
        mov rax, .high
        jmp rax
.high:  mov rdi, rbx                    ; efi_boot_keep(load address, frame)
        mov rsi, rsp
        mov rsp, boot_stack_top
        call efi_boot_keep
        mov edi, r12d                   ; main(magic, information)
        mov esi, r13d
        xor ebp, ebp
        call main
        ud2

        section .bss align=4096 nobits
boot_pd_high:   resb 4096               ; 4 KiB pages, since the image may lie anywhere
boot_pt_high:   resb 4096
