/* XSAVES and XRSTORS with a component that only they save: CET's, where the CPU has it. */
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(xsaves, "xsaves [rdi]");
CODE64(xrstors, "xrstors [rdi]");

#define XSS_CET (3u << 11) /* user and supervisor state */
#define XSTATE_LEAF 0xD
#define HAS_XSAVE BIT(26)
#define HAS_XSAVES BIT(3)
#define HAS_SHADOW_STACKS BIT(7)

static u8 area[4096] __attribute__((aligned(4096)));

/* Not by the leaf's ECX: Bochs 2.7 has the components in IA32_XSS, but leaves them out there. */
static bool has_cet_state(void)
{
    return (cpuid(1, 0).ecx & HAS_XSAVE) && (cpuid(XSTATE_LEAF, 1).eax & HAS_XSAVES) &&
           (cpuid(7, 0).ecx & HAS_SHADOW_STACKS);
}

static void enable(struct run *run)
{
    write_cr4(read_cr4() | CR4_OSXSAVE);
    wrmsr(IA32_XSS, XSS_CET);
    run->gpr[RDI] = (u64)area;
}

static void disable(void)
{
    wrmsr(IA32_XSS, 0);
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

/* XCOMP_BV, the second word of the header: compacted, with these components. */
static const char *compacted(const struct run *run)
{
    (void)run;
    return *(u64 *)(area + 520) == (BIT(63) | XSS_CET) ? NULL : "not what XSAVES writes";
}

#define ROW(name, instruction, reason)                                                             \
    {                                                                                              \
        name, CODE(instruction), .rax = XSS_CET, .available = has_cet_state, .prepare = enable,    \
                                 .check = compacted, .restore = disable,                           \
                                 .exits = EXITS(reason, ALL, 1)                                    \
    }

static const struct instruction_test instructions[] = {
    ROW("XSAVES", xsaves, XSAVES), ROW("XRSTORS", xrstors, XRSTORS),
    ROW("XSAVES once more", xsaves, XSAVES), /* the exit is made again */
};

void test_xsaves(void)
{
    RUN_TESTS(instructions);
}
