/*
 * Changing MTRRs: the registers hold what was written, memory keeps its contents, and no write
 * takes long, whatever it says. SDM vol. 3, 'Memory Type Range Registers (MTRRs)'.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "kernel/memory.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define CPUID_1_EDX_MTRR BIT(12)
#define CAP_VARIABLE_COUNT 0xFF
#define DEF_TYPE_ENABLE BIT(11)
#define MASK_VALID BIT(11)
#define TYPE_WC 1
#define TYPE_WP 5
#define RANGE_BASE 0x4567000ull /* 4 KiB somewhere in RAM: its large page has two types then */
#define MASK_4K 0xFFFFFF000ull  /* of 36 bits of address, which all CPUs have */
#define MASK_EVERY_SECOND_PAGE 0x1000ull
#define MASK_EVERY_SECOND_256K 0x40000ull

struct pair {
    u64 base, mask;
};

static u32 base_msr; /* of the last pair, which firmware hardly uses */

static void write_pair(struct pair pair)
{
    wrmsr(base_msr, pair.base);
    wrmsr(base_msr + 1, pair.mask);
}

static struct pair read_pair(void)
{
    return (struct pair){rdmsr(base_msr), rdmsr(base_msr + 1)};
}

static bool holds(struct pair pair)
{
    struct pair now = read_pair();
    return now.base == pair.base && now.mask == pair.mask;
}

/* As the SDM's 'MTRRs in Multi-Processor Systems' has it, less the caches. */
static void write_pair_while_off(struct pair pair)
{
    u64 def_type = rdmsr(IA32_MTRR_DEF_TYPE);
    wrmsr(IA32_MTRR_DEF_TYPE, def_type & ~DEF_TYPE_ENABLE);
    write_pair(pair);
    wrmsr(IA32_MTRR_DEF_TYPE, def_type);
}

static u64 longest_wrmsr(void)
{
    struct cpuid_result r = cpuid(LEAF_REASON_MAX, EXIT_WRMSR);
    return (u64)r.ebx << 32 | r.eax;
}

static void test_changes(void)
{
    static const struct {
        const char *name;
        struct pair pair;
    } rows[] = {
        {"4 KiB write-combining", {RANGE_BASE | TYPE_WC, MASK_4K | MASK_VALID}},
        {"every second page write-protected", {TYPE_WP, MASK_EVERY_SECOND_PAGE | MASK_VALID}},
        {"every second 256 KiB write-protected", {TYPE_WP, MASK_EVERY_SECOND_256K | MASK_VALID}},
        {"all memory write-protected", {TYPE_WP, MASK_VALID}},
    };
    struct pair before = read_pair();
    volatile u64 *memory = (u64 *)(u64)LOW_DATA;

    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        *memory = i;
        write_pair(rows[i].pair);
        ok(holds(rows[i].pair), "%s, while MTRRs are on", rows[i].name);
        write_pair(before);
        write_pair_while_off(rows[i].pair);
        ok(holds(rows[i].pair), "%s, MTRRs off meanwhile", rows[i].name);
        *memory += 1;
        write_pair_while_off(before);
        ok(holds(before) && *memory == i + 1, "and back");
    }
    if (under_tally())
        note("the longest WRMSR: %u ticks", (u32)longest_wrmsr());
}

void test_mtrr(void)
{
    u32 pairs = 0;
    if (cpuid(1, 0).edx & CPUID_1_EDX_MTRR)
        pairs = rdmsr(IA32_MTRRCAP) & CAP_VARIABLE_COUNT;
    if (!pairs) {
        skip("no variable MTRRs", "all of it");
        return;
    }
    base_msr = IA32_MTRR_PHYSBASE0 + 2 * (pairs - 1);
    test_changes();
}
