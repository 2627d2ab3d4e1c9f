/*
 * CPUID: the same answers in every mode, and the same machine with and without Tally. What the CPU
 * says stands in the tests' names, less the features that Tally hides: two transcripts compare it.
 */
#include "x86/instructions.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"

CODE64(cpuid, "cpuid");

static const char *upper_halves_zero(const struct run *run)
{
    u64 all = run->gpr[RAX] | run->gpr[RBX] | run->gpr[RCX] | run->gpr[RDX];

    return all >> 32 ? "an upper half is not zero" : NULL;
}

static const char *same_as_in_64_bit_code(const struct run *run)
{
    struct cpuid_result r = cpuid(0, 0);

    if (run->gpr[RAX] != r.eax || run->gpr[RBX] != r.ebx || run->gpr[RCX] != r.ecx ||
        run->gpr[RDX] != r.edx)
        return "another answer than in 64-bit code";
    return upper_halves_zero(run);
}

static const char *flags_kept(const struct run *run)
{
    u64 flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF;

    return (run->rflags & flags) == flags ? NULL : "it changed the flags";
}

#define STALE 0xA5A5A5A500000000ull
#define ONE_EXIT EXITS(CPUID, MINIMAL, 1)

static const struct instruction_test instructions[] = {
    {"CPUID leaf 0", CODE(cpuid), .modes = IN_ALL | IN_LEGACY, .rax = STALE, .rcx = STALE,
     .rdx = STALE, .rbx = STALE, .exits = ONE_EXIT, .check = same_as_in_64_bit_code},
    {"CPUID leaf 1", CODE(cpuid), .modes = IN_ALL, .rax = STALE | 1, .exits = ONE_EXIT,
     .check = upper_halves_zero},
    {"CPUID keeps the flags", CODE(cpuid), .rflags = 0xCD5, .exits = ONE_EXIT, .check = flags_kept},
    {"CPUID beyond the last leaf", CODE(cpuid), .rax = 0x3FFFFFFF, .exits = ONE_EXIT,
     .check = upper_halves_zero},
};

/* A leaf to compare, and what to leave out: what Tally hides, and what differs from CPU to CPU. */
struct leaf {
    u32 leaf, subleaf;
    struct cpuid_result hidden;
};

static const struct leaf leaves[] = {
    {0, 0, {0}},
    {1,
     0,
     {.ebx = 0xFF000000,
      .ecx = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 11 | 1u << 31,
      .edx = 1u << 21}},
    {2, 0, {0}},
    {4, 0, {0}},
    {4, 1, {0}},
    {4, 2, {0}},
    {4, 3, {0}},
    {5, 0, {~0u, ~0u, ~0u, ~0u}},
    {6, 0, {.eax = 1u << 19 | 1u << 23, .edx = ~0u}},
    {7,
     0,
     {.ebx = 1u << 2 | 1u << 25,
      .ecx = 1u << 5 | 1u << 7 | 1u << 13 | 1u << 23 | 1u << 29 | 1u << 30 | 1u << 31,
      .edx = 1u << 5 | 1u << 18 | 1u << 19 | 1u << 20}},
    {0xA, 0, {0}},
    {0xB, 0, {.edx = ~0u}},
    {0xB, 1, {.edx = ~0u}},
    {0xD, 0, {0}},
    {0xD, 1, {.eax = 1u << 3, .ebx = ~0u, .ecx = ~0u}},
    {0xD, 2, {0}},
    {0x80000000, 0, {0}},
    {0x80000001, 0, {0}},
    {0x80000002, 0, {0}},
    {0x80000003, 0, {0}},
    {0x80000004, 0, {0}},
    {0x80000006, 0, {0}},
    {0x80000007, 0, {0}},
    {0x80000008, 0, {0}},
};

static void show_leaves(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(leaves); i++) {
        const struct leaf *l = &leaves[i];
        struct cpuid_result r = cpuid(l->leaf, l->subleaf);

        ok(true, "leaf %x.%u shows %08x %08x %08x %08x", l->leaf, l->subleaf,
           r.eax & ~l->hidden.eax, r.ebx & ~l->hidden.ebx, r.ecx & ~l->hidden.ecx,
           r.edx & ~l->hidden.edx);
    }
}

#define CPUID1_ECX_MONITOR BIT(3)
#define CPUID1_ECX_VMX BIT(5)
#define CPUID1_ECX_SMX BIT(6)
#define CPUID1_ECX_XSAVE BIT(26)
#define CPUID1_ECX_OSXSAVE BIT(27)

static void test_hidden_features(void)
{
    u32 ecx = cpuid(1, 0).ecx;
    struct cpuid_result extended = cpuid(7, 0);

    tally_ok(!(ecx & CPUID1_ECX_VMX), "VMX is hidden");
    tally_ok(!(ecx & CPUID1_ECX_SMX), "SMX is hidden");
    tally_ok(!(ecx & CPUID1_ECX_MONITOR), "MONITOR is hidden");
    tally_ok(!(extended.ebx & (1u << 2 | 1u << 25)), "SGX and processor trace are hidden");
}

static void test_osxsave(void)
{
    u64 cr4 = read_cr4();

    if (!(cpuid(1, 0).ecx & CPUID1_ECX_XSAVE)) {
        skip("this CPU has not got XSAVE", "CPUID.1:ECX.OSXSAVE follows CR4.OSXSAVE");
        return;
    }
    write_cr4(cr4 | CR4_OSXSAVE);
    bool set = cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE;
    write_cr4(cr4 & ~CR4_OSXSAVE);
    bool cleared = !(cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE);
    write_cr4(cr4);
    ok(set && cleared, "CPUID.1:ECX.OSXSAVE follows CR4.OSXSAVE");
}

void test_cpuid(void)
{
    RUN_TESTS(instructions);
    show_leaves();
    test_hidden_features();
    test_osxsave();
}
