; Instructions that may fault on what the guest asked for. FIXUP notes the instruction's address
; and where handle_trap() goes on instead of stopping.

%macro FIXUP 1                          ; target; the next instruction may fault
%%here:
        section .fixups alloc noexec nowrite align=8
        dq %%here, %1
        section .text
%endmacro

        section .text

; bool rdmsr_safe(u32 msr, u64 *value)
        global rdmsr_safe
rdmsr_safe:
        mov ecx, edi
        FIXUP faulted
        rdmsr
store:  shl rdx, 32
        or rax, rdx
        mov [rsi], rax
        mov eax, 1
        ret

; bool rdpmc_safe(u32 counter, u64 *value)
        global rdpmc_safe
rdpmc_safe:
        mov ecx, edi
        FIXUP faulted
        rdpmc
        jmp store

; bool wrmsr_safe(u32 msr, u64 value)
        global wrmsr_safe
wrmsr_safe:
        mov ecx, edi
        mov eax, esi
        mov rdx, rsi
        shr rdx, 32
        FIXUP faulted
        wrmsr
        mov eax, 1
        ret

; bool xsetbv_safe(u32 index, u64 value)
        global xsetbv_safe
xsetbv_safe:
        mov ecx, edi
        mov eax, esi
        mov rdx, rsi
        shr rdx, 32
        FIXUP faulted
        xsetbv
        mov eax, 1
        ret

; void vmxoff_safe(void)
        global vmxoff_safe
vmxoff_safe:
        FIXUP faulted
        vmxoff
faulted:
        xor eax, eax
        ret
