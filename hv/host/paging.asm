; What paging.c cannot say in C; unit tests bring their own.
%include "offsets.inc"

        section .text
; void *physical(u64 address)
        global physical
physical:
        mov rax, DIRECT_MAP_HIGH << 32
        add rax, rdi
        ret

; void relocate(void *to, const void *from, size_t size, u64 cr3): copies the image and switches to tables
; that map the copy at the same virtual addresses. The stack is part of the image, so the return address
; moves along.
        global relocate
relocate:
        mov rax, rcx
        mov rcx, rdx
        rep movsb
        mov cr3, rax
        ret
