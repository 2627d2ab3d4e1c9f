/* What cannot be the same bare and under Tally, each with its reason. docs/fuzz.md has the list,
 * too. */
#include "fuzz/fuzz_code.h"
#include "kernel/descriptors.h"
#include "kernel/statistics.h"
#include "x86/msr.h"

#define OPCODE_INVPCID 0x0F3882
#define X2APIC_CURRENT_COUNT 0x839 /* of the timer */
#define OPCODE_AND_IMMEDIATE 0x81
#define AND_REGISTER 0xE0

const char *const fuzz_left_out_names[LEFT_OUT] = {
    [ENDED_BY_TIMER] = "timer",
    [ENDED_AT_A_CLOCK] = "clock",
    [ENDED_AT_HIDDEN_BITS] = "hidden",
};

/* Instructions of features that CPUID hides, which bare CPUs carry out. */
static const u32 hidden_instructions[] = {0x0F01C8 /* MONITOR */, 0x0F01C9 /* MWAIT */};

/* What no two runs have the same, or Tally changes, in these registers. */
static const struct result {
    u32 opcode;
    enum fuzz_left_out why;
    u32 gprs; /* a bit each */
} results[] = {
    {0x0F31, ENDED_AT_A_CLOCK, BIT(RAX) | BIT(RDX)},                           /* RDTSC */
    {0x0F01F9, ENDED_AT_A_CLOCK, BIT(RAX) | BIT(RDX)},                         /* RDTSCP */
    {0x0FC7F1, ENDED_AT_A_CLOCK, BIT(RCX)},                                    /* RDRAND */
    {0x0FC7FA, ENDED_AT_A_CLOCK, BIT(RDX)},                                    /* RDSEED */
    {0x0FA2, ENDED_AT_HIDDEN_BITS, BIT(RAX) | BIT(RBX) | BIT(RCX) | BIT(RDX)}, /* CPUID */
};

/* MSRs that Tally hides (docs/security.md) and this kernel's machines have. */
static const struct {
    u32 first, last;
} hidden_msrs[] = {
    {IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL}, /* VMX, SMX and SGX are off, and locked */
    {IA32_SMBASE, IA32_SMBASE},
    {IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2},
};

/* CPUID's bits of what is hidden: hv/exits/cpuid.c says why. */
static const struct {
    u32 leaf, gpr, bits;
} hidden_bits[] = {
    {0x1, RCX, BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(11)},
    {0x1, RDX, BIT(21)},
    {0x5, RAX, 0xFFFFFFFF},
    {0x5, RBX, 0xFFFFFFFF},
    {0x5, RCX, 0xFFFFFFFF},
    {0x5, RDX, 0xFFFFFFFF},
    {0x7, RBX, BIT(2) | BIT(25)},
    {0x7, RCX, BIT(5) | BIT(13) | BIT(22) | BIT(23) | BIT(29) | BIT(30) | BIT(31)},
    {0x7, RDX, BIT(5) | BIT(18) | BIT(19)},
};

bool fuzz_is_hidden_instruction(u32 opcode)
{
    for (u32 i = 0; i < ARRAY_SIZE(hidden_instructions); i++)
        if (fuzz_options.compare && hidden_instructions[i] == opcode)
            return true;
    return false;
}

bool fuzz_is_hidden_msr(u32 number)
{
    for (u32 i = 0; i < ARRAY_SIZE(hidden_msrs); i++)
        if (fuzz_options.compare && number >= hidden_msrs[i].first && number <= hidden_msrs[i].last)
            return true;
    return false;
}

bool fuzz_is_clock_msr(u32 number)
{
    return number == IA32_TSC || number == IA32_TSC_ADJUST || number == X2APIC_CURRENT_COUNT;
}

bool fuzz_is_own_leaf(u32 leaf)
{
    return fuzz_options.compare && leaf >> 8 == LEAF_EXITS >> 8;
}

bool fuzz_wants_rex_w(u32 opcode)
{
    return fuzz_options.compare && opcode == OPCODE_INVPCID;
}

/* RDTSC, CPUID, RDRAND, RDSEED and their kin, RDTSCP */
bool fuzz_is_unequal(u8 first, u8 second)
{
    if (!fuzz_options.compare)
        return false;
    if (first == 0x0F)
        return second == 0x31 || second == 0xA2 || second == 0xC7;
    return first == 0x01 && second == 0xF9;
}

/* MOV to or from DR8 to DR15, which only REX.R can name */
bool fuzz_is_missing_debug_register(const struct snippet *s, u8 byte)
{
    const u8 *end = s->code + s->length;

    return fuzz_options.compare && s->bits == 64 && s->length >= 2 && end[-1] == 0x0F &&
           (end[-2] & 0xF4) == 0x44 && (byte == 0x21 || byte == 0x23);
}

/* SLDT, STR, SGDT, SIDT, SMSW as raw bytes: outside 64-bit code their operand may pass 4 GiB */
bool fuzz_may_wrap(const struct snippet *s, u8 byte)
{
    return fuzz_options.compare && s->bits != 64 && s->length && s->code[s->length - 1] == 0x0F &&
           byte <= 0x01;
}

void fuzz_overwrite(struct snippet *s, enum fuzz_left_out why, u32 gpr)
{
    s->unequal[s->length] = why;
    load(s, gpr, fuzz_random());
}

void fuzz_overwrite_results(struct snippet *s, u32 opcode)
{
    for (u32 i = 0; i < ARRAY_SIZE(results); i++)
        for (u32 gpr = 0; gpr < 4 && results[i].opcode == opcode; gpr++)
            if (results[i].gprs & BIT(gpr))
                fuzz_overwrite(s, results[i].why, gpr);
}

void fuzz_clear_hidden_bits(struct snippet *s, u32 leaf)
{
    for (u32 i = 0; i < ARRAY_SIZE(hidden_bits); i++)
        if (hidden_bits[i].leaf == leaf) {
            s->unequal[s->length] = ENDED_AT_HIDDEN_BITS;
            begin(s);
            if (s->bits == 16)
                put(s, 1, PREFIX_OPERAND_SIZE);
            put(s, 1, OPCODE_AND_IMMEDIATE);
            put(s, 1, AND_REGISTER | hidden_bits[i].gpr);
            put(s, 4, ~hidden_bits[i].bits);
        }
}
