; Instructions that may fault on what the guest asked for. FIXUP notes the instruction's address
; and where handle_trap() goes on instead of stopping.

%macro FIXUP 1                          ; target; the next instruction may fault
%%here:
        section .fixups alloc noexec nowrite align=8
        dq %%here, %1
        section .text
%endmacro

        section .text

%macro READ 1                           ; bool …_safe(u32 number, u64 *value)
        global %1_safe
%1_safe:
        mov ecx, edi
        FIXUP faulted
        %1
        shl rdx, 32
        or rax, rdx
        mov [rsi], rax
        mov eax, 1
        ret
%endmacro

%macro WRITE 1                          ; bool …_safe(u32 number, u64 value)
        global %1_safe
%1_safe:
        mov ecx, edi
        mov eax, esi
        mov rdx, rsi
        shr rdx, 32
        FIXUP faulted
        %1
        mov eax, 1
        ret
%endmacro

        READ rdmsr
        READ rdpmc
        WRITE wrmsr
        WRITE xsetbv

; void vmxoff_safe(void)
        global vmxoff_safe
vmxoff_safe:
        FIXUP faulted
        vmxoff
faulted:
        xor eax, eax
        ret
