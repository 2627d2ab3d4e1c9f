; Into the firmware and out again.
%include "hv/host/registers.inc"

extern efi_state, efi_cpus_come, efi_ap_main, cpus

        section .text
; u64 efi_enter(u64 function, const u64 arguments[8]): the call itself. Comes back on Tally's page tables and stack,
; all else is still the firmware's. Interrupts are on meanwhile. The tables of the call map the image as the loader
; placed it.
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
        mov cr3, rdi                    ; from here on data is that of before the move
        mov rsp, rsi
        lgdt [rbx + EFI_STATE_GDTR]
        lidt [rbx + EFI_STATE_IDTR]
        mov ss, [rbx + EFI_STATE_SS]
        mov ds, [rbx + EFI_STATE_DS]
        mov es, [rbx + EFI_STATE_DS]
        movzx ebx, word [rbx + EFI_STATE_CS]
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

; A mark in the time line, if there is one: the exit is counted in any case. Up to 16 letters, four each.
%macro MARK 4
        mov eax, LEAF_MARK
        mov ebx, %1
        mov ecx, %2
        mov edx, %3
        mov esi, %4
        cpuid
%endmacro

; What the firmware calls at its events, as the guest, in the image as the loader placed it.
%macro MARK_EVENT 5
        global %1
%1:     push rbx
        push rsi
        MARK %2, %3, %4, %5
        pop rsi
        pop rbx
        ret
%endmacro

        MARK_EVENT efi_mark_image, 'imag', 'e lo', 'aded', 0
        MARK_EVENT efi_mark_exit, 'Exit', 'Boot', 'Serv', 'ices'

; Where the guest goes on, in the image as the loader placed it, with RSP the firmware's: R15 = StartImage() of the
; handle RDI, and if that gives up, Exit(), R12, of the handle R13 with the status R14.
        global efi_go_on_image, efi_go_on
efi_go_on_image:
        MARK 'boot', ' loa', 'der', 0
        sub rsp, 32
        mov rcx, rdi
        xor edx, edx                    ; its data is not wanted
        xor r8d, r8d
        call r15
efi_go_on:
        MARK 'firm', 'ware', 0, 0
        sub rsp, 32
        mov rcx, r13
        mov rdx, r14
        xor r8d, r8d                    ; no data beside the status
        xor r9d, r9d
        call r12
.end:   cli
        hlt
        jmp .end

; The procedure that the MP services call on each other CPU in turn: RCX = CR3 of Tally's tables. Pushes struct
; ap_frame, with which the guest goes on from here as if the procedure had returned, and goes over to Tally's tables
; by way of those that map both, and to the stack of the next block.
        global efi_ap_start
efi_ap_start:
        pushfq
        cli
        cld
        PUSH_GPRS
        mov rax, cr3
        push rax
        mov rsi, rcx
        mov ecx, IA32_EFER
        rdmsr
        push rax                        ; its upper half is 0
        or eax, EFER_NXE
        wrmsr
        mov r12, rsp
        mov rax, [rel efi_state + EFI_STATE_CR3]
        mov cr3, rax
        mov rax, .high
        jmp rax
.high:  mov cr3, rsi
        mov eax, 1
        lock xadd [efi_cpus_come], eax
        mov rdi, [cpus]
        mov rdi, [rdi + rax * 8]
        lea rsp, [rdi + CPU_VCPU]
        mov rsi, r12
        xor ebp, ebp
        call efi_ap_main
        ud2
