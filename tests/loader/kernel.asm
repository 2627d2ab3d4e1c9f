; A kernel that prints all that a boot loader gave it, to compare Tally's loading with GRUB's. tests/loader/shapes
; makes it in many shapes by NASM's -D; all have defaults:
;   KIND      32, 64: an ELF file; 0: address fields        PROTOCOL  1, 2: multiboot's version
;   TYPE      2 ET_EXEC, 3 ET_DYN                           BASE      where it is linked, physical
;   VIRTUAL   what virtual addresses are higher by          PAD       bytes before the multiboot header
;   FLAGS     of the version 1 header, without address fields          MODE  its video mode
;   BSS       zeroed bytes behind the image                 CUT       1: what precedes the header is not loaded
;   EXTRAS    so many more segments: X1A address, X1F bytes in the file, X1M in memory, X1O offset in the file; X2A …
;   NOTE      1: a PT_NOTE first                            ENTSIZE   program headers are longer by so much
;   SECTIONS  1: section headers; SYMBOLS bytes and ALIGN of a section that no segment loads
;   END, BSSEND  0: the address field is 0                  MINUS     1: load_addr is -1
;   TAGS      words of a version 2 header, before its last tags        ENTRY  1: an entry address tag
; It touches no memory but the stack that the boot loader gave it, so that sums of memory are what was loaded.

bits 32
org BASE
file:

%if CUT
%define LOADED header
%else
%define LOADED file
%endif
SEGMENTS equ 1 + EXTRAS + NOTE

%if SECTIONS
%define IF_SECTIONS(x) x
%else
%define IF_SECTIONS(x) 0
%endif

%if KIND = 32
        db 0x7F, 'ELF', 1, 1, 1, 0
        times 8 db 0
        dw TYPE, 3
        dd 1, start + VIRTUAL, headers - file, IF_SECTIONS(sections - file), 0
        dw 52, 32 + ENTSIZE, SEGMENTS, IF_SECTIONS(40), IF_SECTIONS(4), IF_SECTIONS(3)
%macro segment 5                        ; type, offset, address, bytes in the file, in memory
        dd %1, %2, %3 + VIRTUAL, %3, %4, %5, 7, 4096
        times ENTSIZE db 0xEE
%endmacro
%macro section 5                        ; type, address, offset, size, alignment
        dd 1, %1, 0, %2, %3, %4, 0, 0, %5, 0
%endmacro
%elif KIND = 64
        db 0x7F, 'ELF', 2, 1, 1, 0
        times 8 db 0
        dw TYPE, 62
        dd 1
        dq start + VIRTUAL, headers - file, IF_SECTIONS(sections - file)
        dd 0
        dw 64, 56 + ENTSIZE, SEGMENTS, IF_SECTIONS(64), IF_SECTIONS(4), IF_SECTIONS(3)
%macro segment 5
        dd %1, 7
        dq %2, %3 + VIRTUAL, %3, %4, %5, 4096
        times ENTSIZE db 0xEE
%endmacro
%macro section 5
        dd 1, %1
        dq 0, %2, %3, %4
        dd 0, 0
        dq %5, 0
%endmacro
%endif

%macro extra_header 1
%ifdef X%1O
        segment 1, X%1O, X%1A, X%1F, X%1M
%else
        segment 1, extra%1 - file, X%1A, X%1F, X%1M
%endif
%endmacro
%if KIND
headers:
%if NOTE
        segment 4, 0, 0, 16, 16
%endif
%if EXTRAS >= 2
        extra_header 2
%endif
        segment 1, LOADED - file, LOADED, image_end - LOADED, image_end - LOADED + BSS
%if EXTRAS >= 1
        extra_header 1
%endif
%if EXTRAS >= 3
        extra_header 3
%endif
%endif

        times PAD db 0xA5
        align 8, db 0x5A
header:
%if MINUS
%define LOAD_ADDR -1
%else
%define LOAD_ADDR LOADED
%endif
%if END
%define LOAD_END image_end
%else
%define LOAD_END 0
%endif
%if BSSEND
%define BSS_END image_end + BSS
%else
%define BSS_END 0
%endif
%if PROTOCOL = 1
MAGIC   equ 0x1BADB002
ALL     equ FLAGS | (KIND = 0) << 16
        dd MAGIC, ALL, -(MAGIC + ALL)
        dd header, LOAD_ADDR, LOAD_END, BSS_END, start
        dd MODE
%else
MAGIC   equ 0xE85250D6
        dd MAGIC, 0, header_end - header, -(MAGIC + header_end - header)
%ifdef TAGS
        dd TAGS
        align 8, db 0
%endif
%if KIND = 0
        dw 2, 0
        dd 24, header, LOAD_ADDR, LOAD_END, BSS_END
%endif
%if ENTRY || KIND = 0
        dw 3, 0
        dd 12, start, 0
%endif
        dw 0, 0
        dd 8
header_end:
%endif

%include "report.inc"

; What was to be loaded: address, bytes.
segments:
        dd LOADED, image_end - LOADED + BSS
%if EXTRAS >= 1
        dd X1A, X1M
%endif
%if EXTRAS >= 2
        dd X2A, X2M
%endif
%if EXTRAS >= 3
        dd X3A, X3M
%endif
        dd 0, 0
image_end:

%macro pattern 2                        ; bytes, seed
%assign i 0
%rep %1
        db (i * 37 + (i >> 8) * 11 + %2) & 0xFF
%assign i i + 1
%endrep
%endmacro
%if EXTRAS >= 1
extra1: pattern X1F, 1
%endif
%if EXTRAS >= 2
extra2: pattern X2F, 2
%endif
%if EXTRAS >= 3
extra3: pattern X3F, 3
%endif

%if SECTIONS
symbols: pattern SYMBOLS, 7
names:  db 0, '.symtab', 0
names_end:
sections:
%if KIND = 64
        times 64 db 0
%else
        times 40 db 0
%endif
        section 1, start + VIRTUAL, start - file, image_end - start, 16
        section 2, 0, symbols - file, SYMBOLS, ALIGN
        section 3, 0, names - file, names_end - names, 1
%endif
