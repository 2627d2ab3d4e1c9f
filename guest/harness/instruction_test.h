/*
 * Tests of single instructions as rows of a table: what the architecture promises, and which exits
 * Tally makes of it.
 */
#ifndef GUEST_INSTRUCTION_TEST_H
#define GUEST_INSTRUCTION_TEST_H

#include "harness/run.h"
#include "tally.h"

/* Exits of one reason: in `from` and every larger profile. A zeroed struct promises none. */
struct expected_exits {
    u8 reason, from, count;
};
#define EXITS(reason, profile, count)                                                              \
    {                                                                                              \
        EXIT_##reason, PROFILE_##profile, count                                                    \
    }

/* How the code ends; without a fault it runs to its end. */
#define FAULT(vector) (0x100 | (VECTOR_##vector))
#define FAULT_VECTOR(fault) ((fault)&0xFF)

#define IN(mode) (1u << (MODE_##mode))
#define IN_RING_0 (IN(64) | IN(32) | IN(16))
#define IN_RING_3 (IN(64_USER) | IN(32_USER) | IN(16_USER))
#define IN_64 (IN(64) | IN(64_USER))
#define IN_32_AND_16 (IN(32) | IN(32_USER) | IN(16) | IN(16_USER))
#define IN_ALL (IN_RING_0 | IN_RING_3)
#define IN_P (IN(P32) | IN(P16))
#define IN_P_USER (IN(P32_USER) | IN(P16_USER))
#define IN_SUPERVISOR (IN_RING_0 | IN_P | IN(REAL)) /* all that may do everything */
#define IN_USER (IN_RING_3 | IN_P_USER | IN(V86))
#define IN_LEGACY (IN_P | IN_P_USER | IN(V86) | IN(REAL))

struct instruction_test {
    const char *name;
    struct code code;
    u32 modes; /* in which it runs, one after the other; 0 = MODE_64 */
    u64 rax, rcx, rdx, rbx, rsi, rdi;
    u64 rflags;
    u32 fault, error; /* FAULT(…) and its error code */
    u32 fault_rip;    /* offset of the faulting instruction; of the next one for traps */
    struct expected_exits exits;
    struct expected_exits then; /* those of another reason, besides */
    bool optional_control;      /* a CPU may lack the control that makes it exit */
    bool others_exit;           /* exits of further reasons are left open */
    bool count_unstated;        /* how often it exits is up to the implementation */
    bool tally_only;            /* what is promised holds under Tally only */
    bool (*available)(void);    /* NULL: every CPU has it */
    void (*prepare)(struct run *run);
    bool (*again)(const struct run *run);        /* what is tested did not occur: once more */
    const char *(*check)(const struct run *run); /* what is wrong, or NULL */
    void (*restore)(void);
};

void run_tests(const struct instruction_test *tests, u32 count);
#define RUN_TESTS(table) run_tests(table, ARRAY_SIZE(table))

#endif
