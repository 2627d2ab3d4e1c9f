/* Instructions of recent CPUs: what their tests share. */
#ifndef GUEST_RECENT_H
#define GUEST_RECENT_H

#include "harness/instruction_test.h"

#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define STALE 0xA5A5A5A5A5A5A5A5ull
#define MISSING 0x1FFE
#define ADDRESS 0xFFFF800012345678ull
#define NOT_CANONICAL 0x0100000000000000ull /* whatever the width of linear addresses */

#define IN_ANY (IN_ALL | IN_LEGACY)

/* From has_FEATURE(): for the tests that an instruction is not there. */
#define LACKS(feature)                                                                             \
    static bool lacks_##feature(void)                                                              \
    {                                                                                              \
        return !has_##feature();                                                                   \
    }

/* For a list of three MSRs that nothing uses here: IA32_STAR, IA32_LSTAR, IA32_KERNEL_GS_BASE. */
void list_prepare(struct run *run);
void list_restore(void);

void test_msr_lists(void);
void test_msr_instructions(void);

#endif
