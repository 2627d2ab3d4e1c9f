; Entries of the hypervisor's IDT. Everything runs on stacks of the interrupt-stack table.
%include "hv/host/registers.inc"

extern handle_trap, last_look, interrupt_idtr, trap_idtr

        section .text

; One stub a vector, all of the same length; the last serves every vector above.
%macro STUB 1
%%stub:
    %if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
        push qword %1
        jmp near with_error_code
    %else
        push qword 0
        push qword %1
        jmp near save
    %endif
        times 9 - ($ - %%stub) nop
%endmacro

        global trap_stubs, trap_stubs_end
trap_stubs:
%assign vector 0
%rep 33
        STUB vector
%assign vector vector + 1
%endrep
trap_stubs_end:

with_error_code:                        ; hardware pushed it first: as in the frame already
save:   PUSH_GPRS
        cld
        mov rdi, rsp
        call handle_trap
        EACH pop, rax, rcx, rdx, rbx
        add rsp, 8
        EACH pop, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        add rsp, 16
        iretq

; An NMI in root operation is only counted. If it came between the last look at vcpu.nmis and the VM
; entry, the look is taken again, so that the NMI is never left for the next exit. Where that is, first
; byte and first byte after it, exits/entry.asm notes in the section .last_look.
        global nmi_gate
nmi_gate:
        push rax
        lock inc dword [gs:VCPU_NMIS]
        mov rax, [rsp + 8]
        cmp rax, [last_look]
        jb .done
        cmp rax, [last_look + 8]
        jae .done
        mov rax, [last_look]
        mov [rsp + 8], rax
.done:  pop rax
        iretq

; void unblock_nmi(void)
        global unblock_nmi
unblock_nmi:
        mov rax, rsp
        mov ecx, ss
        push rcx
        push rax
        pushfq
        mov ecx, cs
        push rcx
        lea rax, [rel .out]
        push rax
        iretq
.out:   ret

; Interrupts are taken only here: they have an IDT of their own, for a PIC may send any vector, also
; those of exceptions, for which nothing else pushes an error code. Stubs of 4 bytes in groups of 32, so
; that a short jump leads to the group's end.
        global interrupt_stubs, interrupt_stubs_end
        align 8
interrupt_stubs:
%assign group 0
%rep 8
  %assign vector group * 32
  %rep 32
        mov al, vector
        jmp short taken_%+group
    %assign vector vector + 1
  %endrep
taken_%+group:                          ; one is enough; IRET would let in another, and NMIs
        mov rsp, [rsp + 24]             ; that of the STI, from the frame
        lidt [trap_idtr]
        ret
  %assign group group + 1
%endrep
interrupt_stubs_end:

; int acknowledge_interrupt(void)
        global acknowledge_interrupt
acknowledge_interrupt:
        xor eax, eax
        lidt [interrupt_idtr]
        sti
        nop
        cli
        lidt [trap_idtr]
        dec eax
        ret

; void load_segments(void)
        global load_segments
load_segments:
        mov eax, HOST_DATA
        mov ss, eax
        xor eax, eax
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        pop rax
        push qword HOST_CODE
        push rax
        retfq
