; Out of long mode into 32-bit, 16-bit, virtual-8086 or real-address code under test, and back with
; the trap that ended it. struct legacy_state (legacy.h) at LEGACY_STATE carries registers both ways.

global legacy_enter, legacy_entries, legacy_stack_top, other_stack_top, real_code, real_code_end, real_entries_offset
extern gdt, pml4, pae_pointers, page_directory_32, legacy_idt_pointer

LOW_MEMORY    equ 0x8000                ; as in descriptors.h
LEGACY_STATE  equ 0xBF00
REAL_CODE     equ 0xB000
REAL_IVT      equ 0xC000

struc state
    .gpr:    resd 8
    .ds:     resd 1
    .es:     resd 1
    .fs:     resd 1
    .gs:     resd 1
    .eip:    resd 1
    .cs:     resd 1
    .eflags: resd 1
    .ss:     resd 1
    .data:   resd 1
    .paged:  resd 1
    .vector: resd 1
    .error:  resd 1
    .tr:     resd 1
    .cr3:    resd 1
    .idtr:   resb 6
endstruc
%define STATE(field) LEGACY_STATE + state.%+field

SELECTOR_CODE64 equ 0x08
SELECTOR_DATA   equ 0x10
SELECTOR_CODE32 equ 0x18
SELECTOR_CODE16 equ 0x20
SELECTOR_DATA16 equ 0x28
SELECTOR_TSS    equ 0x60
SELECTOR_TSS32  equ 0x80
TSS_BUSY        equ 2                   ; in byte 5 of the descriptor
AR_DB           equ 0x400000            ; as LAR shows it

CR4_PSE   equ 0x10
CR4_PAE   equ 0x20
PAGED_32  equ 2                         ; state.paged: 32-bit paging
CR0_PE    equ 1
CR0_PG    equ 0x80000000
IA32_EFER equ 0xC0000080
EFER_LME  equ 0x100
EFLAGS_VM equ 0x20000
EAX_ equ 0
ECX_ equ 4
EDX_ equ 8
EBX_ equ 12
ESP_ equ 16
EBP_ equ 20
ESI_ equ 24
EDI_ equ 28

section .text
bits 64
; void legacy_enter(void)
legacy_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    pushfq
    sidt [long_idt]
    mov [long_rsp], rsp
    push SELECTOR_CODE32
    push leave_long_mode
    retfq

bits 32
leave_long_mode:
    mov eax, SELECTOR_DATA
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, IA32_EFER
    rdmsr
    and eax, ~EFER_LME
    wrmsr
    cmp dword [STATE(paged)], 0
    je .paging_done
    mov eax, pae_pointers
    cmp dword [STATE(paged)], PAGED_32
    jne .tables
    mov eax, cr4
    and eax, ~CR4_PAE
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, page_directory_32
.tables:
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
.paging_done:
    lidt [legacy_idt_pointer]
    and byte [gdt + SELECTOR_TSS32 + 5], ~TSS_BUSY
    mov eax, SELECTOR_TSS32
    ltr ax
    mov esp, legacy_stack.top

    cmp dword [STATE(cs)], 0            ; 0: real-address mode
    je real_address_mode
    test dword [STATE(eflags)], EFLAGS_VM
    jnz .virtual_8086
    test dword [STATE(cs)], 3
    jnz .ring_3
    mov ss, [STATE(ss)]
    mov esp, [STATE(gpr) + ESP_]
    jmp .go
.virtual_8086:
    mov eax, [STATE(data)]
    push eax                            ; GS, FS, DS, ES
    push eax
    push eax
    push eax
.ring_3:
    push dword [STATE(ss)]
    push dword [STATE(gpr) + ESP_]
.go:
    push dword [STATE(eflags)]
    push dword [STATE(cs)]
    push dword [STATE(eip)]
    mov ecx, [STATE(gpr) + ECX_]
    mov edx, [STATE(gpr) + EDX_]
    mov ebx, [STATE(gpr) + EBX_]
    mov ebp, [STATE(gpr) + EBP_]
    mov esi, [STATE(gpr) + ESI_]
    mov edi, [STATE(gpr) + EDI_]
    mov eax, [STATE(data)]
    test dword [STATE(eflags)], EFLAGS_VM
    jnz .last
    mov es, eax
    mov ds, eax
.last:
    mov eax, [cs:STATE(gpr) + EAX_]
    iretd

real_address_mode:
    jmp SELECTOR_CODE16:REAL_CODE - LOW_MEMORY

; Traps in protected mode and from virtual-8086 mode.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21)
%assign number 0
%rep 256
legacy_entry_%+number:
  %if !HAS_ERROR_CODE(number)
    push dword 0
  %endif
    push dword number
    jmp legacy_trap
  %assign number number + 1
%endrep

legacy_trap:
    pushad
    push ds
    push es
    push fs
    push gs
    cld
    mov eax, SELECTOR_DATA
    mov ds, eax
    mov es, eax
    mov ebp, esp                        ; SS may be the code's own, with a base: [ebp] means SS
    xor ecx, ecx
    mov eax, ss
    lar ecx, eax
    test ecx, AR_DB
    jnz .wide_stack
    movzx ebp, bp                       ; a 16-bit task has ones above SP
.wide_stack:
    mov esi, 11 * 4                     ; the order of what was pushed is the reverse of struct state's
    mov edi, STATE(gpr)
.register:
    mov eax, [ebp + esi]
    stosd
    sub esi, 4
    jns .register
    mov eax, [ebp + 48]
    mov [STATE(vector)], eax
    mov eax, [ebp + 52]
    mov [STATE(error)], eax
    mov eax, [ebp + 56]
    mov [STATE(eip)], eax
    mov ecx, [ebp + 60]
    mov [STATE(cs)], ecx
    mov eax, [ebp + 64]
    mov [STATE(eflags)], eax
    add dword [STATE(gpr) + ESP_], 20   ; ring 0: vector, error code, EIP, CS and EFLAGS lie above it
    mov [STATE(ss)], ss
    test eax, EFLAGS_VM
    jnz .virtual_8086
    test ecx, 3
    jz return_to_long_mode
    jmp .other_stack
.virtual_8086:
    mov eax, [ebp + 76]
    mov [STATE(es)], eax
    mov eax, [ebp + 80]
    mov [STATE(ds)], eax
    mov eax, [ebp + 84]
    mov [STATE(fs)], eax
    mov eax, [ebp + 88]
    mov [STATE(gs)], eax
.other_stack:
    mov eax, [ebp + 68]
    mov [STATE(gpr) + ESP_], eax
    mov eax, [ebp + 72]
    mov [STATE(ss)], eax

return_to_long_mode:
    str [STATE(tr)]
    sidt [STATE(idtr)]
    mov eax, cr3
    mov [STATE(cr3)], eax
    mov eax, SELECTOR_DATA
    mov ss, eax
    mov esp, legacy_stack.top
    and byte [gdt + SELECTOR_TSS + 5], ~TSS_BUSY ; TR may hold a 16-bit TSS: none in IA-32e mode
    mov eax, SELECTOR_TSS
    ltr ax
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov eax, cr4
    test eax, CR4_PAE
    jnz .pae
    or eax, CR4_PAE
    and eax, ~CR4_PSE
    mov cr4, eax
.pae:
    mov eax, pml4
    mov cr3, eax
    mov ecx, IA32_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp SELECTOR_CODE64:.long

bits 64
.long:
    mov rsp, [long_rsp]
    lidt [long_idt]
    and byte [gdt + SELECTOR_TSS + 5], ~TSS_BUSY
    mov eax, SELECTOR_TSS
    ltr ax
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

; Copied to REAL_CODE: everything that runs in real-address mode, with CS = LOW_MEMORY / 16. The
; interrupt vector table at REAL_IVT has 256 entries, real_trap + 4 * vector apart.
%define HERE(label) (REAL_CODE - LOW_MEMORY + (label) - real_code)
%define REAL(field) STATE(field) - LOW_MEMORY
bits 16
real_code:
    mov ax, SELECTOR_DATA16             ; real-address mode keeps the limits
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, cr0
    and al, ~CR0_PE
    mov cr0, eax
    jmp LOW_MEMORY / 16:HERE(.real)
.real:
    mov ax, cs
    mov ds, ax
    mov es, ax
    mov ss, ax
    lidt [HERE(.ivt_pointer)]
    mov esp, [REAL(gpr) + ESP_]
    push word [REAL(eflags)]
    push cs
    push word [REAL(eip)]
    mov eax, [REAL(gpr) + EAX_]
    mov ecx, [REAL(gpr) + ECX_]
    mov edx, [REAL(gpr) + EDX_]
    mov ebx, [REAL(gpr) + EBX_]
    mov ebp, [REAL(gpr) + EBP_]
    mov esi, [REAL(gpr) + ESI_]
    mov edi, [REAL(gpr) + EDI_]
    iret
.ivt_pointer:
    dw 0x3FF
    dd REAL_IVT

.trap:                                  ; the return address of the entry's CALL tells the vector
    mov [cs:REAL(gpr) + EAX_], eax
    mov [cs:REAL(gpr) + ECX_], ecx
    mov [cs:REAL(gpr) + EDX_], edx
    mov [cs:REAL(gpr) + EBX_], ebx
    mov [cs:REAL(gpr) + EBP_], ebp
    mov [cs:REAL(gpr) + ESI_], esi
    mov [cs:REAL(gpr) + EDI_], edi
    mov [cs:REAL(ds)], ds
    mov [cs:REAL(es)], es
    mov [cs:REAL(fs)], fs
    mov [cs:REAL(gs)], gs
    mov [cs:REAL(ss)], ss
    xor eax, eax
    mov dword [cs:REAL(error)], eax
    pop ax
    sub ax, HERE(.entries) + 3
    shr ax, 2
    mov [cs:REAL(vector)], eax
    xor eax, eax
    pop ax
    mov [cs:REAL(eip)], eax
    pop ax
    mov [cs:REAL(cs)], eax
    pop ax
    mov [cs:REAL(eflags)], eax
    mov [cs:REAL(gpr) + ESP_], esp
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp dword SELECTOR_CODE32:leave_real_mode

    align 4
.entries:
%rep 256
    call near .trap                     ; 3 bytes
    nop
%endrep
real_code_end:

bits 32
leave_real_mode:
    mov eax, SELECTOR_DATA
    mov ds, eax
    mov es, eax
    jmp return_to_long_mode

section .rodata
align 8
legacy_entries:
%assign number 0
%rep 256
    dd legacy_entry_%+number
  %assign number number + 1
%endrep
real_entries_offset:
    dd HERE(real_code.entries)

section .bss
alignb 8
long_rsp: resq 1
long_idt: resb 10
alignb 16
legacy_stack: resb 4096
.top:
legacy_stack_top:
resb 4096
other_stack_top:                        ; for the second task of the tests

section .note.GNU-stack noalloc noexec nowrite progbits
