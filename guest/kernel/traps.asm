; Entries of all 256 vectors, and the way into code under test and out of it.

default rel
extern trap
global trap_entries, run_enter, run_leave

GPRS equ 16

; Vectors for which the CPU itself pushes an error code.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21)

section .text
%assign vector 0
%rep 256
trap_entry_%+vector:
  %if !HAS_ERROR_CODE(vector)
    push 0
  %endif
    push vector
    jmp trap_common
  %assign vector vector + 1
%endrep

trap_common:                            ; struct trap_frame, registers by their number
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    push rdi
    push rsi
    push rbp
    push qword [rsp + 11 * 8 + 5 * 8] ; the interrupted RSP
    push rbx
    push rdx
    push rcx
    push rax
    cld
    mov rdi, rsp
    call trap
    pop rax
    pop rcx
    pop rdx
    pop rbx
    add rsp, 8
    pop rbp
    pop rsi
    pop rdi
    pop r8
    pop r9
    pop r10
    pop r11
    pop r12
    pop r13
    pop r14
    pop r15
    add rsp, 16                         ; vector and error code
    iretq

; void run_enter(const struct trap_frame *start, u64 data_selector)
; Goes on at start->cs:rip with all registers from it; comes back by run_leave().
run_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    pushfq
    mov [resume_rsp], rsp
    mov rsp, rdi
    mov ds, esi
    mov es, esi
    pop rax
    pop rcx
    pop rdx
    pop rbx
    add rsp, 8
    pop rbp
    pop rsi
    pop rdi
    pop r8
    pop r9
    pop r10
    pop r11
    pop r12
    pop r13
    pop r14
    pop r15
    add rsp, 16
    iretq

; void run_leave(void): from trap(), back to the caller of run_enter().
run_leave:
    mov rsp, [resume_rsp]
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

section .rodata
align 8
trap_entries:
%assign vector 0
%rep 256
    dq trap_entry_%+vector
  %assign vector vector + 1
%endrep

section .bss
alignb 8
resume_rsp: resq 1                      ; of the run in progress

section .note.GNU-stack noalloc noexec nowrite progbits
