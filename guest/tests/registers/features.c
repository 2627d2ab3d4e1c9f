/*
 * Instructions that not every CPU has: random numbers, INVPCID, XSAVES, MONITOR and MWAIT. A test
 * of one that is missing is skipped.
 */
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(rdrand_64, "rdrand rax");
CODE64(rdrand_32, "rdrand eax");
CODE64(rdrand_16, "rdrand ax");
CODE64(rdrand_r15, "rdrand r15\n mov rax, r15");
CODE64(rdrand_rsp, "mov rbx, rsp\n rdrand rsp\n mov rax, rsp\n mov rsp, rbx");
CODE64(rdseed_64, "rdseed rax");
CODE64(rdseed_32, "rdseed eax");
CODE64(rdseed_16, "rdseed ax");
CODE64(invpcid, "invpcid rax, [rsi]");
CODE32(invpcid_32, "invpcid eax, [esi]");
CODE64(xsaves_xrstors, "xsaves [rsi]\n xrstors [rsi]");
CODE64(xsaves, "xsaves [rsi]");
CODE64(xrstors, "xrstors [rsi]");
CODE64(monitor, "monitor");
CODE64(mwait, "mwait");
CODE64(monitor_mwait, "monitor\n sti\n mwait\n cli");

#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define UPPER_HALF 0xFFFFFFFF00000000ull
#define STALE 0xA5A5A5A5A5A5A5A5ull
#define NOT_CANONICAL 0x0100000000000000ull /* nor by the width that the CPU has */
#define IN_EVERY (IN_ALL | IN_LEGACY)
#define DATA ((volatile u64 *)(u64)LOW_DATA)

static bool has_rdrand(void)
{
    return cpuid(1, 0).ecx & BIT(30);
}

static bool has_rdseed(void)
{
    return cpuid(7, 0).ebx & BIT(18);
}

static bool has_invpcid(void)
{
    return cpuid(7, 0).ebx & BIT(10);
}

static bool has_xsaves(void)
{
    return (cpuid(1, 0).ecx & BIT(26)) && (cpuid(0xD, 1).eax & BIT(3));
}

/* Tally hides the feature in CPUID, not the instruction. */
static bool has_monitor(void)
{
    struct run r = {.code = CODE(monitor), .gpr = {[RAX] = LOW_DATA}};

    run(&r);
    return ran_to_end(&r);
}

/* CF alone may be set; without it the destination is 0. */
static const char *random_flags(const struct run *run, u64 value)
{
    u64 flags = run->rflags & ARITHMETIC_FLAGS;

    if (flags & ~RFLAGS_CF)
        return "a flag other than CF is set";
    return flags || !value ? NULL : "CF is clear, but there is a value";
}

static const char *random_64(const struct run *run)
{
    return random_flags(run, run->gpr[RAX]);
}

static const char *random_32(const struct run *run)
{
    if (run->gpr[RAX] & UPPER_HALF)
        return "the upper half is not zero";
    return random_flags(run, run->gpr[RAX]);
}

static const char *random_16(const struct run *run)
{
    if ((run->gpr[RAX] | 0xFFFF) != (STALE | 0xFFFF))
        return "more than 16 bits were written";
    return random_flags(run, (u16)run->gpr[RAX]);
}

#define RANDOM(name, code, in, result, reason)                                                     \
    {                                                                                              \
#reason " of " name, CODE(code), .modes = in, .rax = STALE, .rflags = 0x8D5 & ~0x100u,     \
                                         .exits = EXITS(reason, ALL, 1),                           \
                                         .available = has_##reason, .check = result                \
    }
#define has_RDRAND has_rdrand
#define has_RDSEED has_rdseed

static const struct instruction_test random_numbers[] = {
    RANDOM("64 bits", rdrand_64, IN_64, random_64, RDRAND),
    RANDOM("32 bits", rdrand_32, IN_ALL & ~(IN(16) | IN(16_USER)), random_32, RDRAND),
    RANDOM("16 bits", rdrand_16, IN_64 | IN(32), random_16, RDRAND),
    RANDOM("bits in other modes", rdrand_32, IN_LEGACY, random_32, RDRAND),
    RANDOM("64 bits into R15", rdrand_r15, IN(64), random_64, RDRAND),
    RANDOM("64 bits into RSP", rdrand_rsp, IN(64), random_64, RDRAND),
    RANDOM("64 bits", rdseed_64, IN_64, random_64, RDSEED),
    RANDOM("32 bits", rdseed_32, IN_ALL & ~(IN(16) | IN(16_USER)), random_32, RDSEED),
    RANDOM("16 bits", rdseed_16, IN_64 | IN(32), random_16, RDSEED),
};

static void pcid_descriptor(struct run *run)
{
    DATA[0] = run->gpr[RBX]; /* PCID */
    DATA[1] = run->gpr[RDX]; /* linear address */
    run->gpr[RSI] = LOW_DATA;
}

#define INVPCID(name, type, pcid, address)                                                         \
    name, CODE(invpcid), .rax = type, .rbx = pcid, .rdx = address,                                 \
                         .exits = EXITS(INVPCID, ALL, 1), .available = has_invpcid,                \
                         .prepare = pcid_descriptor

static const struct instruction_test invpcids[] = {
    {INVPCID("INVPCID of one address", 0, 0, LOW_DATA)},
    {INVPCID("INVPCID of one PCID", 1, 0, 0)},
    {INVPCID("INVPCID of everything", 2, 0, 0)},
    {INVPCID("INVPCID of everything but globals", 3, 0, 0)},
    {INVPCID("INVPCID of type 4", 4, 0, 0), .fault = FAULT(GP)},
    {INVPCID("INVPCID, reserved bit", 2, BIT(12), 0), .fault = FAULT(GP)},
    {INVPCID("INVPCID, not canonical", 0, 0, NOT_CANONICAL), .fault = FAULT(GP)},
    {INVPCID("INVPCID of PCID 1 without CR4.PCIDE", 1, 1, 0), .fault = FAULT(GP)},
    {"INVPCID of a missing descriptor", CODE(invpcid), .rsi = WINDOW_PAGE(WINDOW_MISSING),
     .fault = FAULT(PF), .exits = EXITS(INVPCID, ALL, 1), .available = has_invpcid},
    {"INVPCID", CODE(invpcid), .modes = IN(64_USER), .rsi = LOW_DATA, .fault = FAULT(GP),
     .exits = EXITS(INVPCID, ALL, 1), .optional_control = true, /* Bochs 2.7 exits first */
     .available = has_invpcid},
    {"INVPCID", CODE(invpcid_32), .modes = IN(32) | IN(P32), .rax = 2,
     .exits = EXITS(INVPCID, ALL, 1), .available = has_invpcid, .prepare = pcid_descriptor},
};

static void osxsave_on(struct run *run)
{
    run->gpr[RSI] = LOW_DATA;
    for (u32 i = 0; i < 512; i++)
        DATA[i] = 0;
    write_cr4(read_cr4() | CR4_OSXSAVE);
}

static void osxsave_off(void)
{
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

static const struct instruction_test waits_and_states[] = {
    {"XSAVES and XRSTORS without supervisor state", CODE(xsaves_xrstors), .rax = ~0u, .rdx = ~0u,
     .available = has_xsaves, .prepare = osxsave_on, .restore = osxsave_off},
    {"XSAVES", CODE(xsaves), .modes = IN(64_USER), .rsi = LOW_DATA, .fault = FAULT(GP),
     .available = has_xsaves, .prepare = osxsave_on, .restore = osxsave_off},
    {"XRSTORS", CODE(xrstors), .modes = IN(64_USER), .rsi = LOW_DATA, .fault = FAULT(GP),
     .available = has_xsaves, .prepare = osxsave_on, .restore = osxsave_off},
    {"MONITOR", CODE(monitor), .modes = IN_SUPERVISOR, .rax = LOW_DATA & 0xFFFF,
     .exits = EXITS(MONITOR, KVM, 1), .available = has_monitor},
    {"MONITOR", CODE(monitor), .modes = IN_USER, .rax = LOW_DATA & 0xFFFF, .fault = FAULT(UD),
     .available = has_monitor},
    {"MWAIT", CODE(mwait), .modes = IN_USER, .fault = FAULT(UD), .available = has_monitor},
};

static u32 interrupts;

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    apic_eoi();
}

static void pending(struct run *run)
{
    (void)run;
    interrupts = 0;
    apic_self_ipi(VECTOR_LOW);
}

static const char *woken(const struct run *run)
{
    (void)run;
    return interrupts == 1 ? NULL : "not exactly one interrupt";
}

static const struct instruction_test wakes[] = {
    {"MWAIT with an interrupt pending", CODE(monitor_mwait), .rax = LOW_DATA,
     .exits = EXITS(MWAIT, KVM, 1), .others_exit = true, .available = has_monitor,
     .prepare = pending, .check = woken},
};

void test_features(void)
{
    apic_init();
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    RUN_TESTS(random_numbers);
    RUN_TESTS(invpcids);
    RUN_TESTS(waits_and_states);
    RUN_TESTS(wakes);
    set_interrupt_handler(VECTOR_LOW, NULL);
}
