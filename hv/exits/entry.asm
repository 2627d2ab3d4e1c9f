; VM entry and VM exit. HOST_RSP is the address of struct vcpu: after an exit RSP points at it, the
; registers are stored relative to it, and the handlers' stack grows down from it.
%include "hv/host/registers.inc"

extern dispatch_exit, observe_exit, take_nmis, vmx_instruction_failed

        section .text

; What a C function may change, and RBX, which CPUID's answer changes; not RAX, RCX and RDX, which the stamps at both ends need.
%macro LOAD_CHANGED_GPRS 0
        LOAD rbx, rsi, rdi, r8, r9, r10, r11
%endmacro

%macro LOAD_GPRS 0
        LOAD_CHANGED_GPRS
        LOAD rbp, r12, r13, r14, r15
%endmacro

; One 64-bit number of RDTSC's two halves.
%macro READ_TSC 0
        rdtsc
        shl rdx, 32
        or rax, rdx
%endmacro

; A whole exit but for its two ends, and its ticks. In: RSP = struct vcpu; RAX and RDX are saved, all others are the
; guest's. Out: RAX = ticks; RCX and RDX are lost, all others are the guest's again.
%macro TIMED_EXIT 0
        READ_TSC
        mov [rsp + VCPU_EXIT_TSC], rax
        SAVE rcx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        mov rdi, rsp
        call dispatch_exit
        LOAD_CHANGED_GPRS

        mov rcx, [rsp + VCPU_COUNTER]
        READ_TSC
        sub rax, [rsp + VCPU_EXIT_TSC]
        add [rcx + COUNTER_CYCLES], rax
        cmp rax, [rcx + COUNTER_MIN]
        jae %%not_least
        mov [rcx + COUNTER_MIN], rax
%%not_least:
        cmp rax, [rcx + COUNTER_MAX]
        jbe %%not_most
        mov [rcx + COUNTER_MAX], rax
%%not_most:
%endmacro

; [[noreturn]] void vcpu_run(struct vcpu *vcpu): the first entry. VMLAUNCH stands apart from
; VMRESUME, so that a failure of one is never hidden by the other.
        global vcpu_run
vcpu_run:
        mov rsp, rdi
        LOAD_GPRS
        LOAD rax, rcx, rdx
        vmlaunch
        jmp failed

; HOST_RIP of a vCPU with chores: the same way, and the chores when the time has ended.
        global vmx_exit_observed
        align 16
vmx_exit_observed:
        SAVE rax, rdx
        TIMED_EXIT
observed:
        mov rdi, rsp
        call observe_exit
        LOAD_CHANGED_GPRS
        jmp vmx_check_nmis

%include "hv/sites/recorded_exit.inc"

; HOST_RIP of all others.
        global vmx_exit
        align 16
vmx_exit:
        SAVE rax, rdx
        TIMED_EXIT

; The last look before the entry, at two words as one: nmis, and whether a handler has changed a
; register that LOAD_CHANGED_GPRS leaves alone. nmi_gate comes back here from anywhere up to VMRESUME.
        section .last_look alloc noexec nowrite align=8
        dq vmx_check_nmis, vmx_check_nmis.end
        section .text
vmx_check_nmis:
        cmp qword [rsp + VCPU_NMIS], 0
        jne last_errands
        LOAD rax, rcx, rdx
        vmresume
vmx_check_nmis.end:

failed: pushfq                          ; VMfail: the guest did not run, there is nothing to save
        pop rdi
        mov rsi, rsp
        call vmx_instruction_failed     ; returns only in the test image
        jmp enter_again

last_errands:
        mov rdi, rsp
        call take_nmis
enter_again:
        mov dword [rsp + VCPU_GPRS_CHANGED], 0
        LOAD_GPRS
        jmp vmx_check_nmis
