; A multiboot kernel that asks one question: does this machine let us run guests as Tally needs it?
; It executes VMXON for real and looks for EPT and unrestricted guest. The answer is the value that it writes
; to port 0xF4: 0x10 yes, 0x11 no. Anything else (a triple fault, silence) means no as well.
bits 32
org 0x100000

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x00010000          ; address fields

IA32_FEATURE_CONTROL     equ 0x03A
IA32_VMX_BASIC           equ 0x480
IA32_VMX_PROCBASED_CTLS  equ 0x482
IA32_VMX_CR0_FIXED0      equ 0x486
IA32_VMX_CR4_FIXED0      equ 0x488
IA32_VMX_PROCBASED_CTLS2 equ 0x48B

LOCK_AND_VMX     equ 1 << 0 | 1 << 2    ; IA32_FEATURE_CONTROL: locked, VMX outside SMX
SECONDARY        equ 1 << 31            ; primary controls: there are secondary ones
EPT_UNRESTRICTED equ 1 << 1 | 1 << 7    ; secondary controls
PSE              equ 1 << 4             ; CR4

header: dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        dd header, header, file_end, memory_end, start

start:  mov esp, stack_top
        mov eax, 1
        cpuid
        test ecx, 1 << 5                ; VMX
        jz no

        mov ecx, IA32_FEATURE_CONTROL
        rdmsr
        test eax, 1
        jnz locked
        or eax, LOCK_AND_VMX
        wrmsr
locked: and eax, LOCK_AND_VMX
        cmp eax, LOCK_AND_VMX
        jne no

        mov ecx, IA32_VMX_PROCBASED_CTLS
        rdmsr
        test edx, SECONDARY
        jz no
        mov ecx, IA32_VMX_PROCBASED_CTLS2
        rdmsr
        and edx, EPT_UNRESTRICTED
        cmp edx, EPT_UNRESTRICTED
        jne no

        mov dword [page_directory], 0x83        ; the first 4 MiB as themselves, one large page
        mov eax, page_directory
        mov cr3, eax
        mov ecx, IA32_VMX_CR4_FIXED0
        rdmsr
        mov ebx, cr4
        or eax, ebx
        or eax, PSE
        mov cr4, eax
        mov ecx, IA32_VMX_CR0_FIXED0            ; wants paging
        rdmsr
        mov ebx, cr0
        or eax, ebx
        mov cr0, eax

        mov ecx, IA32_VMX_BASIC
        rdmsr
        mov [vmxon_region], eax
        vmxon [vmxon_pointer]
        jbe no                                  ; CF or ZF: VMfail

        mov eax, 0x10
        jmp answer
no:     mov eax, 0x11
answer: out 0xF4, eax
        mov esi, shutdown
        mov dx, 0x8900
        mov ecx, shutdown_length
        rep outsb
hang:   cli
        hlt
        jmp hang

shutdown db 'Shutdown'
shutdown_length equ $ - shutdown
align 8
vmxon_pointer dq vmxon_region
file_end:

page_directory equ 0x102000
vmxon_region   equ 0x103000
stack_top      equ 0x105000
memory_end     equ stack_top
