; From the boot loader to main(): multiboot 1 and 2 headers, then 32-bit to 64-bit mode.
; Runs at its load address until paging is on, hence PHYS() around every address.
HIGH equ 0xFFFFFFFF80000000
%define PHYS(x) ((x) - HIGH)

%include "hv/host/long_mode.inc"

extern main, boot_cpu, image_start, file_end, image_end, start_efi
boot_stack_top equ boot_cpu + CPU_VCPU

        section .multiboot progbits alloc noexec nowrite align=8
; Addresses, not ELF: the file is one of 64 bits, which QEMU's -kernel does not take as such.
MB1_FLAGS equ (1 << 16) | (1 << 1) | (1 << 0) ; addresses, memory map, modules on page boundaries
multiboot1:
        dd 0x1BADB002, MB1_FLAGS, -(0x1BADB002 + MB1_FLAGS)
        dd PHYS(multiboot1), PHYS(image_start), PHYS(file_end), PHYS(image_end), PHYS(start)

        align 8
multiboot2:
        dd 0xE85250D6, 0, multiboot2_end - multiboot2
        dd -(0xE85250D6 + (multiboot2_end - multiboot2))
        dw 2, 0                         ; addresses
        dd 24, PHYS(multiboot2), PHYS(image_start), PHYS(file_end), PHYS(image_end)
        dw 3, 0                         ; entry
        dd 12, PHYS(start), 0
        dw 6, 0                         ; modules on page boundaries
        dd 8
        dw 7, 1                         ; UEFI: its boot services go on, …
        dd 8
        dw 9, 1                         ; … and GRUB enters here, …
        dd 12, PHYS(start_efi), 0
        dw 10, 1                        ; … in memory that they do not use: the lowest there is, by BIOS 1 MiB
        dd 24, 0x100000, 0xFFFFFFFF, 4096, 1
        dw 0, 0
        dd 8
multiboot2_end:

        section .boot progbits alloc exec nowrite align=16
        bits 32
; In: EAX = the loader's magic, EBX = physical address of its information (multiboot
; specifications, 'Machine state'); paging off, interrupts off.
        global start
start:
        cld
        mov esp, PHYS(boot_stack_top)
        mov ebp, eax
        mov edi, ebx

        pushfd                          ; EFLAGS.ID can be changed: there is CPUID
        pop eax
        mov ecx, eax
        xor eax, 1 << 21
        push eax
        popfd
        pushfd
        pop eax
        cmp eax, ecx
        je .no_long_mode
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb .no_long_mode
        mov eax, 0x80000001
        cpuid
        bt edx, 29
        jnc .no_long_mode
        bt edx, 20
        mov esi, PHYS(no_nx_message)
        jnc refuse

        call build_tables
        ENTER_LONG_MODE PHYS(boot_pml4)
        lgdt [PHYS(boot_gdt_register)]
        jmp 8:PHYS(start64)
.no_long_mode:
        mov esi, PHYS(no_long_mode_message)
        ; falls through

; ESI = message: shows it on COM1, which nobody has set up yet, and on the screen; ends the run.
refuse:
        mov dx, 0x3FB                   ; 115200 8N1: divisor 1
        mov al, 0x83
        out dx, al
        mov dx, 0x3F8
        mov ax, 1
        out dx, ax                      ; both halves
        mov dx, 0x3FB
        mov al, 3
        out dx, al
        mov edi, 0xB8000
.next:  lodsb
        test al, al
        jz .end
        mov [edi], al
        mov byte [edi + 1], 0x4F
        add edi, 2
        mov ah, al
        mov dx, 0x3FD
        mov ecx, 100000                 ; a missing UART must not hang the line
.wait:  in al, dx
        test al, 0x20
        loopz .wait
        mov dx, 0x3F8
        mov al, ah
        out dx, al
        jmp .next
.end:   mov dx, 0x3FD
        mov ecx, 100000
.drain: in al, dx
        test al, 0x40                   ; all is sent
        loopz .drain
        mov eax, 0x12                   ; VERDICT_TALLY_ERROR
        out 0xF4, eax
        mov esi, PHYS(shutdown_word)
        mov ecx, 8
        mov dx, 0x8900
        rep outsb
.halt:  cli
        hlt
        jmp .halt

; The first 4 GiB in 2 MiB pages, seen three times: at 0, at DIRECT_MAP, and the first GiB at HIGH.
build_tables:
        mov eax, PHYS(boot_pdpt) + 3
        mov [PHYS(boot_pml4)], eax
        mov [PHYS(boot_pml4) + 256 * 8], eax
        mov dword [PHYS(boot_pml4) + 511 * 8], PHYS(boot_pdpt_high) + 3
        mov dword [PHYS(boot_pdpt_high) + 510 * 8], PHYS(boot_pds) + 3
        mov eax, PHYS(boot_pds) + 3
        xor ecx, ecx
.pdpt:  mov [PHYS(boot_pdpt) + ecx * 8], eax
        add eax, 4096
        inc ecx
        cmp ecx, 4
        jb .pdpt
        mov eax, 0x83                   ; present, writable, large
        xor ecx, ecx
.pd:    mov [PHYS(boot_pds) + ecx * 8], eax
        add eax, 2 << 20
        inc ecx
        cmp ecx, 4 * 512
        jb .pd
        ret

        bits 64
start64:
        mov rax, .high
        jmp rax
.high:  xor eax, eax
        mov ds, eax
        mov es, eax
        mov ss, eax
        mov fs, eax
        mov gs, eax
        mov rsp, boot_stack_top
        mov esi, edi                    ; main(magic, information)
        mov edi, ebp
        xor ebp, ebp
        call main
        ud2

        section .rodata
boot_gdt:
        dq 0, 0x00209A0000000000        ; 64-bit code
boot_gdt_register:
        dw boot_gdt_register - boot_gdt - 1
        dd PHYS(boot_gdt)
no_long_mode_message:
        db "tally: error: this CPU has no 64-bit mode; Tally needs one with VMX, EPT and "
        db "unrestricted guest", 13, 10, 0
no_nx_message:
        db "tally: error: execute-disable is off; switch it on in the firmware's set-up", 13, 10, 0
shutdown_word: db "Shutdown"

        section .bss align=4096 nobits
        global boot_pml4, boot_pdpt, boot_pdpt_high, boot_pds
boot_pml4:      resb 4096
boot_pdpt:      resb 4096
boot_pdpt_high: resb 4096
boot_pds:       resb 4 * 4096
