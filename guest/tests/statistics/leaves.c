/* The contract of the statistics leaves (docs/statistics.md). Without Tally all of it is skipped.
 */
#include "x86/instructions.h"
#include "harness/families.h"
#include "harness/run.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

#define UPPER_HALF 0xFFFFFFFF00000000ull
#define STALE 0xA5A5A5A5A5A5A5A5ull
#define LAST_REASON 85

CODE64(cpuid, "cpuid");

/* Asks with everything that could be stale in the registers; the answer's registers in full. */
static struct run ask(enum mode mode, u32 leaf, u32 subleaf)
{
    struct run r = {
        .mode = mode,
        .code = CODE(cpuid),
        .gpr =
            {[RAX] = UPPER_HALF | leaf, [RCX] = UPPER_HALF | subleaf, [RDX] = STALE, [RBX] = STALE},
        .reason = EXIT_CPUID,
    };

    run(&r);
    return r;
}

static bool is_defined(u32 n)
{
    static const u8 kinds[] = {
#define FAULT 1
#define TRAP 1
#define ASYNC 1
#define ENTRY 1
#define NONE 0
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = kind,
#include "exit_reasons.def"
#undef FAULT
#undef TRAP
#undef ASYNC
#undef ENTRY
#undef NONE
    };

    return n < ARRAY_SIZE(kinds) && kinds[n];
}

/* What every answer about reason n promises, apart from the numbers themselves. */
static bool answer_is_sound(const struct run *r, u32 leaf, u32 n)
{
    const u64 *gpr = r->gpr;

    if (!ran_to_end(r) || r->reason_exits != 1 || r->all_exits != 1)
        return false;
    if (!is_defined(n))
        return !gpr[RAX] && !gpr[RBX] && !gpr[RCX] && gpr[RDX] == TALLY_UNDEFINED_REASON;
    if (leaf == LEAF_REASON_EXITS)
        return !(gpr[RAX] & UPPER_HALF) && !gpr[RBX] && !gpr[RCX] && !gpr[RDX];
    return !gpr[RAX] && !((gpr[RBX] | gpr[RCX]) & UPPER_HALF) && !gpr[RDX];
}

static bool sound(enum mode mode, u32 leaf, u32 n)
{
    struct run r = ask(mode, leaf, n);

    if (answer_is_sound(&r, leaf, n))
        return true;
    note("leaf %x n %x: rax %lx rbx %lx rcx %lx rdx %lx, %u exits", leaf, n, r.gpr[RAX], r.gpr[RBX],
         r.gpr[RCX], r.gpr[RDX], r.all_exits);
    return false;
}

static void test_sweep(enum mode mode, u32 leaf, const char *what)
{
    static const u32 far[] = {256,        266,        0x1000A,    0x10000,   0x80000000,
                              0x8000000A, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF};
    bool near_sound = true, far_sound = true;

    if (under_tally()) {
        for (u32 n = 0; n < 256; n++)
            near_sound &= sound(mode, leaf, n);
        for (u32 i = 0; i < ARRAY_SIZE(far); i++)
            far_sound &= sound(mode, leaf, far[i]);
    }
    tally_ok(near_sound, "%s of n = 0 to 255, %s", what, mode_name(mode));
    tally_ok(far_sound, "%s of far n, %s", what, mode_name(mode));
}

static void test_totals(enum mode mode)
{
    bool exits_right = true, cycles_right = true;

    if (under_tally()) {
        struct run exits = ask(mode, LEAF_EXITS, 7), cycles = ask(mode, LEAF_CYCLES, 7);

        exits_right = ran_to_end(&exits) && exits.gpr[RAX] && !(exits.gpr[RAX] & UPPER_HALF) &&
                      !exits.gpr[RBX] && !exits.gpr[RCX] && !exits.gpr[RDX];
        cycles_right = ran_to_end(&cycles) && !cycles.gpr[RAX] && cycles.gpr[RCX] &&
                       !((cycles.gpr[RBX] | cycles.gpr[RCX]) & UPPER_HALF) && !cycles.gpr[RDX];
    }
    tally_ok(exits_right, "exits in all, all four registers, %s", mode_name(mode));
    tally_ok(cycles_right, "cycles in all, all four registers, %s", mode_name(mode));
}

static void test_exit_in_progress(void)
{
    u32 first = reason_exits(EXIT_CPUID), second = reason_exits(EXIT_CPUID);
    u32 total = all_exits(), total_after = all_exits();

    tally_ok(second - first == 1, "the question itself is in its reason's count");
    tally_ok(total_after - total == 1, "the question itself is in the count of all");

    u64 before = reason_cycles(EXIT_CPUID), between = reason_cycles(EXIT_CPUID);
    u64 one = between - before;
    tally_ok(one > 0 && one < 1000000, "a finished exit is in the cycles, once");

    u64 other = reason_cycles(EXIT_TRIPLE_FAULT);
    tally_ok(!other && !reason_exits(EXIT_TRIPLE_FAULT), "a reason that never came is zero");
}

static void test_sum_of_exits(void)
{
    u32 sum = 0;

    for (u32 n = 0; n <= LAST_REASON; n++)
        sum += n == EXIT_CPUID ? 0 : reason_exits(n);
    sum += reason_exits(EXIT_CPUID);
    u32 total = all_exits() - 1;

    if (!tally_ok(sum == total, "the exits of all reasons sum up to the total"))
        note("sum %u, total %u", sum, total);
}

/*
 * The question about the total costs cycles too, but they come after its answer: the total lies
 * between two sums around it.
 */
static void test_sum_of_cycles(void)
{
    u64 others = 0;

    for (u32 n = 0; n <= LAST_REASON; n++)
        others += n == EXIT_CPUID ? 0 : reason_cycles(n);
    u64 before = others + reason_cycles(EXIT_CPUID);
    u64 total = all_cycles();
    u64 after = others + reason_cycles(EXIT_CPUID);

    if (!tally_ok(before < total && total < after, "the cycles of all reasons sum up to the total"))
        note("sum before %lu, total %lu, sum after %lu", before, total, after);
}

static u64 wide(u32 leaf, u32 reason)
{
    struct cpuid_result answer = cpuid(leaf, reason);

    return (u64)answer.ebx << 32 | answer.eax;
}

static void test_additions(void)
{
    struct cpuid_result info = cpuid(LEAF_INFO, 0);
    tally_ok(info.eax == TALLY_ABI_VERSION && info.ebx >= 1 && info.ecx <= PROFILE_ALL,
             "version, number of vCPUs and profile");

    u32 narrow = reason_exits(EXIT_CPUID);
    tally_ok((u32)(wide(LEAF_REASON_EXITS64, EXIT_CPUID) - narrow) == 1, "exits in 64 bits");

    u64 min = wide(LEAF_REASON_MIN, EXIT_CPUID), max = wide(LEAF_REASON_MAX, EXIT_CPUID);
    u64 exits = wide(LEAF_REASON_EXITS64, EXIT_CPUID);
    u64 average = exits ? reason_cycles(EXIT_CPUID) / exits : 0;
    if (!tally_ok(min && min <= average && average <= max,
                  "least, average and most cycles in order"))
        note("min %lu, average %lu, max %lu", min, average, max);

    u32 undefined = 0;
    for (u32 leaf = LEAF_REASON_EXITS64; leaf <= LEAF_REASON_MAX; leaf++) {
        struct cpuid_result answer = cpuid(leaf, 35);
        undefined += !answer.eax && !answer.ebx;
    }
    tally_ok(undefined == 3, "nothing for a number that the SDM does not define");
}

static void test_hypervisor_leaf(void)
{
    static const u32 signature[] = {0x6C6C6154, 0x4D562079, 0x56482058}; /* Tally VMX HV */
    bool announced = cpuid(1, 0).ecx >> 31;
    struct cpuid_result answer = cpuid(LEAF_HYPERVISOR, 0);
    bool signed_by_tally =
        answer.ebx == signature[0] && answer.ecx == signature[1] && answer.edx == signature[2];

    tally_ok(signed_by_tally == announced, "signature where CPUID.1:ECX[31] announces one");
    tally_ok(!announced || answer.eax == LEAF_HYPERVISOR, "the signature's leaf is the last one");
}

void test_leaves(void)
{
    for (enum mode mode = 0; mode <= MODE_REAL; mode++) {
        test_sweep(mode, LEAF_REASON_EXITS, "exits");
        test_sweep(mode, LEAF_REASON_CYCLES, "cycles");
        test_totals(mode);
    }
    test_exit_in_progress();
    test_sum_of_exits();
    test_sum_of_cycles();
    test_additions();
    test_hypervisor_leaf();
}
