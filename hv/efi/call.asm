; Into the firmware and out again.
%include "offsets.inc"

extern efi_state

        section .text
; u64 efi_enter(u64 function, const u64 arguments[8]): the call itself. Comes back on Tally's page tables and stack,
; all else is still the firmware's. Interrupts are on meanwhile. The tables of the call map the image as the loader
; placed it, with the same code, but with the data of before the move.
        global efi_enter
efi_enter:
        push rbx
        push rbp
        push r12
        push r13
        push r14
        push r15
        mov rax, rdi
        mov rcx, [rsi]
        mov rdx, [rsi + 8]
        mov r8, [rsi + 16]
        mov r9, [rsi + 24]
        mov r10, [rsi + 32]
        mov r11, [rsi + 40]
        mov r14, [rsi + 48]
        mov r15, [rsi + 56]
        mov r12, rsp
        mov r13, cr3
        mov rbx, efi_state
        mov rdi, [rbx + EFI_STATE_CR3]
        mov rsi, [rbx + EFI_STATE_RSP]
        lgdt [rbx + EFI_STATE_GDTR]
        lidt [rbx + EFI_STATE_IDTR]
        mov ss, [rbx + EFI_STATE_SS]
        mov ds, [rbx + EFI_STATE_DS]
        mov es, [rbx + EFI_STATE_DS]
        movzx ebx, word [rbx + EFI_STATE_CS]
        mov cr3, rdi
        mov rsp, rsi
        push rbx
        mov rbx, .there
        push rbx
        retfq
.there: push r15
        push r14
        push r11
        push r10
        sub rsp, 32                     ; as the callee may use it (UEFI, 'Detailed Calling Conventions')
        sti
        call rax
        cli
        mov cr3, r13
        mov rsp, r12
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbp
        pop rbx
        ret

; Where the guest goes on, in the image as the loader placed it: RAX = boot service that does not return, RCX, RDX,
; R8 and R9 its arguments, RSP the firmware's.
        global efi_go_on
efi_go_on:
        sub rsp, 32
        call rax
.end:   cli
        hlt
        jmp .end
