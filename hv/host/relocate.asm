; The move to the top of memory: copy the image and switch to tables that map the copy at the same
; virtual addresses. The stack is part of the image, so the return address moves along.

        section .text
; void relocate(void *to, const void *from, size_t size, u64 cr3)
        global relocate
relocate:
        mov rax, rcx
        mov rcx, rdx
        rep movsb
        mov cr3, rax
        ret
