/*
 * Running a few instructions in any mode and privilege level, and reporting how they ended: at the
 * end, or with which exception, with which registers, and with how many VM exits.
 */
#ifndef GUEST_RUN_H
#define GUEST_RUN_H

#include "tally.h"
#include "kernel/traps.h"

/* Instructions under test, position-independent, without an end of their own: run() appends it. */
struct code {
    const u8 *start, *end;
};

/* Defines `struct code` contents at file scope; write the instructions in Intel syntax. */
#define CODE_BITS(bits, name, text)                                                                \
    __asm__(".pushsection .rodata.code, \"a\"\n"                                                   \
            ".code" #bits "\n.intel_syntax noprefix\n"                                             \
            "code_" #name ":\n" text "\n"                                                          \
            "end_of_code_" #name ":\n"                                                             \
            ".code64\n.att_syntax prefix\n.popsection");                                           \
    extern const u8 code_##name[], end_of_code_##name[]
#define CODE64(name, text) CODE_BITS(64, name, text)
#define CODE32(name, text) CODE_BITS(32, name, text)
#define CODE16(name, text) CODE_BITS(16, name, text)
#define CODE(name)                                                                                 \
    {                                                                                              \
        code_##name, end_of_code_##name                                                            \
    }

enum mode {
    MODE_64,      /* 64-bit code */
    MODE_64_USER, /* the same in ring 3 */
    MODE_32,      /* 32-bit code in compatibility mode */
    MODE_32_USER,
    MODE_16, /* 16-bit code in compatibility mode; segments start at LOW_MEMORY */
    MODE_16_USER,
    MODE_P32, /* 32-bit protected mode outside IA-32e mode, with PAE paging */
    MODE_P32_USER,
    MODE_P16, /* 16-bit protected mode without paging */
    MODE_P16_USER,
    MODE_V86,  /* virtual-8086 mode, IOPL 3 */
    MODE_REAL, /* real-address mode */
    MODE_N32,  /* 32-bit protected mode with 32-bit paging: no PAE */
    MODE_N32_USER,
    MODES,
};

struct run {
    enum mode mode;
    struct code code;
    u64 gpr[GPRS]; /* in: RSP 0 = the mode's own stack; out: as the code left them */
    u64 rflags;    /* in: RFLAGS_FIXED is added; out */
    u64 vector;    /* out: VECTOR_DONE or the exception's */
    u64 error;     /* out: its error code, 0 without one */
    u64 rip;       /* out: offset in the code; that of the appended INT if it ran to the end */
    u64 cs, cr2, dr6;
    u64 ss, ds, es, fs, gs; /* out */
    u64 cr3, tr, idt_base;  /* out, outside IA-32e mode: what the way back changes */

    u32 reason;        /* in: whose exits to count */
    u32 reason_exits;  /* out: exits for `reason` while the code ran */
    u32 all_exits;     /* out: exits for any reason */
    u64 reason_cycles; /* out: what `reason` cost */
};

/* Runs it with interrupts off (unless rflags says otherwise). */
void run(struct run *run);
/* The same without counting exits, and with DR6 left alone. */
void run_uncounted(struct run *run);

/* True when the code ran to its end. */
static inline bool ran_to_end(const struct run *run)
{
    return run->vector == VECTOR_DONE && run->rip == (u64)(run->code.end - run->code.start);
}

/* The end of the code under test, as an exception or by its own INT: other_traps. */
void end_run_by_trap(struct trap_frame *frame);

const char *mode_name(enum mode mode);

#endif
