/* The counters and the CPUID leaves that read them, as docs/statistics.md has it. */
#include "stats/report.h"
#include "x86/instructions.h"
#include "stats/counters.h"
#include "stats/timeline.h"
#include "stats/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct statistics counters[2];
#define boot_cpu counters[0]
#define other_cpu counters[1]
static struct run_facts facts = {.vcpus = 2};

static const u32 undefined[] = {35, 38, 42, 71, 82, 83, 86, 87, 255, 0x10A, 0x8000000A, 0xFFFFFFFF};

static int setup(void **state)
{
    (void)state;
    statistics = counters;
    run_facts = &facts;
    return 0;
}

static int clear(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        boot_cpu.reason[i] = other_cpu.reason[i] = NO_EXITS;
    return 0;
}

static struct cpuid_result ask(u32 leaf, u32 subleaf)
{
    struct cpuid_result in = {leaf, 0xDEAD0001, subleaf, 0xDEAD0002};
    return statistics_leaf(&in);
}

static void answers(u32 leaf, u32 subleaf, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
    struct cpuid_result r = ask(leaf, subleaf), expected = {eax, ebx, ecx, edx};
    if (memcmp(&r, &expected, sizeof(r)) != 0)
        fail_msg("leaf %x/%u: %x %x %x %x instead of %x %x %x %x", leaf, subleaf, r.eax, r.ebx,
                 r.ecx, r.edx, eax, ebx, ecx, edx);
}

static void nothing_has_happened(void **state)
{
    (void)state;
    answers(LEAF_EXITS, 0, 0, 0, 0, 0);
    answers(LEAF_CYCLES, 0, 0, 0, 0, 0);
    for (u32 n = 0; n < EXIT_REASONS; n++)
        for (u32 leaf = LEAF_REASON_EXITS64; leaf <= LEAF_REASON_MAX; leaf++)
            answers(leaf, n, 0, 0, 0, reason_is_defined(n) ? 0 : 0xFFFFFFFF);
}

static void holes_are_told_from_zero(void **state)
{
    (void)state;
    static const u32 leaves[] = {LEAF_REASON_EXITS, LEAF_REASON_CYCLES, LEAF_REASON_EXITS64,
                                 LEAF_REASON_MIN, LEAF_REASON_MAX};
    for (unsigned i = 0; i < REASON_SLOTS; i++) /* even if the hardware made such exits */
        boot_cpu.reason[i] = (struct reason_counter){1, 1, 1, 1};
    for (unsigned l = 0; l < ARRAY_SIZE(leaves); l++)
        for (unsigned i = 0; i < ARRAY_SIZE(undefined); i++)
            answers(leaves[l], undefined[i], 0, 0, 0, 0xFFFFFFFF);

    unsigned defined = 0;
    for (u32 n = 0; n < 300; n++)
        defined += ask(LEAF_REASON_EXITS, n).edx == 0;
    assert_int_equal(defined, 80); /* 0 to 85 without 35, 38, 42, 71, 82, 83 */
}

static void each_cpu_adds_its_part(void **state)
{
    (void)state;
    boot_cpu.reason[EXIT_CPUID] = (struct reason_counter){0x1FFFFFFFF, 0x123456789ABCDEF0, 60, 99};
    other_cpu.reason[EXIT_CPUID] = (struct reason_counter){2, 0x10, 50, 0x700000001};
    answers(LEAF_REASON_EXITS, 10, 1, 0, 0, 0); /* the count's low half has run over */
    answers(LEAF_REASON_CYCLES, 10, 0, 0x12345678, 0x9ABCDF00, 0);
    answers(LEAF_REASON_EXITS64, 10, 1, 2, 0, 0);
    answers(LEAF_REASON_MIN, 10, 50, 0, 0, 0);
    answers(LEAF_REASON_MAX, 10, 1, 7, 0, 0);
    answers(LEAF_REASON_EXITS, 16, 0, 0, 0, 0); /* 0x10: n is not taken for hexadecimal */
    answers(LEAF_EXITS, 77, 1, 0, 0, 0);
    answers(LEAF_CYCLES, 77, 0, 0x12345678, 0x9ABCDF00, 0);
}

static void an_untimed_exit_has_no_minimum(void **state)
{
    (void)state;
    boot_cpu.reason[EXIT_CPUID].count = 1; /* in progress */
    answers(LEAF_REASON_EXITS, 10, 1, 0, 0, 0);
    answers(LEAF_REASON_CYCLES, 10, 0, 0, 0, 0);
    answers(LEAF_REASON_MIN, 10, 0, 0, 0, 0);
}

static void the_parts_make_up_the_whole(void **state)
{
    (void)state;
    u64 exits = 0, cycles = 0;
    for (u32 n = 0; n < EXIT_REASONS; n++) {
        if (!reason_is_defined(n))
            continue;
        boot_cpu.reason[n] = (struct reason_counter){n + 1, n * 0x30000000ull, n, n};
        other_cpu.reason[n] = (struct reason_counter){3 * n, 17, n, n};
    }
    for (u32 n = 0; n < 200; n++) {
        struct cpuid_result r = ask(LEAF_REASON_CYCLES, n);
        exits += ask(LEAF_REASON_EXITS, n).eax;
        cycles += (u64)r.ebx << 32 | r.ecx;
    }
    struct cpuid_result total = ask(LEAF_CYCLES, 0);
    assert_int_equal(exits, ask(LEAF_EXITS, 0).eax);
    assert_true(cycles == ((u64)total.ebx << 32 | total.ecx));
    assert_true(cycles >> 32);
}

static void tally_tells_about_itself(void **state)
{
    (void)state;
    facts.profile = PROFILE_ALL;
    facts.tsc_khz = 100000;
    answers(LEAF_INFO, 5, TALLY_ABI_VERSION, 2, PROFILE_ALL, 100000);
    answers(0x4FFFFF04, 0, 0, 0, 0, 0);
    answers(0x4FFFFFFB, 10, 0, 0, 0, 0);
    assert_true(is_statistics_leaf(0x4FFFFF00) && is_statistics_leaf(LEAF_EXITS));
    assert_false(is_statistics_leaf(0x4FFFFEFF) || is_statistics_leaf(0x50000000));
}

static void names_come_from_the_table(void **state)
{
    (void)state;
    assert_string_equal(reason_name(0), "EXCEPTION_NMI");
    assert_string_equal(reason_name(EXIT_CPUID), "CPUID");
    assert_string_equal(reason_name(85), "WRMSRNS_IMMEDIATE");
    assert_string_equal(reason_name(86), "UNDEFINED");
#define EXIT_REASON(number, name, kind, delivery, handler)                                         \
    assert_string_equal(reason_name(number), #name);
#include "exit_reasons.def"
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_happened), /* first: as registering leaves it */
        cmocka_unit_test_setup(holes_are_told_from_zero, clear),
        cmocka_unit_test_setup(each_cpu_adds_its_part, clear),
        cmocka_unit_test_setup(an_untimed_exit_has_no_minimum, clear),
        cmocka_unit_test_setup(the_parts_make_up_the_whole, clear),
        cmocka_unit_test(tally_tells_about_itself),
        cmocka_unit_test(names_come_from_the_table),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
