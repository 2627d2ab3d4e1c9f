/* What a guest learns from CPUID, on a CPU of the test's making. */
#include "x86/instructions.h"

static struct cpuid_result fake_cpuid(u32 leaf, u32 subleaf);
#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#include "exits/cpuid.c"
#include "stats/counters.h"
#include "memory/memory.h"
#include "stats/timeline.h"
#include "stats/window.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct vcpu vcpu;
static u64 guest_cr4;
static bool in_64bit_mode;
struct paging_features paging_features = {.physical_address_width = 46};

static unsigned executed; /* CPUID instructions, and the last one's leaf */
static u32 executed_leaf;
static u32 highest_basic = 0x20;

u64 vmread(enum vmcs_field field)
{
    switch (field) {
    case GUEST_CR4: return guest_cr4;
    case GUEST_IA32_EFER: return EFER_LMA;
    default: assert_int_equal(field, GUEST_CS_ACCESS_RIGHTS); return in_64bit_mode ? AR_L : 0;
    }
}

/* Has every feature; a leaf can be told by its number in EAX where that has no features. */
static struct cpuid_result fake_cpuid(u32 leaf, u32 subleaf)
{
    executed++;
    executed_leaf = leaf;
    if (leaf == 0)
        return (struct cpuid_result){highest_basic, 0x756E6547, 0x6C65746E, 0x49656E69};
    if (leaf == 0x80000000)
        return (struct cpuid_result){0x80000008, 0, 0, 0};
    if (leaf == 0x80000008)
        return (struct cpuid_result){0x3934, 0, 0, 0};
    if (leaf == highest_basic)
        return (struct cpuid_result){leaf, subleaf, 0xCCCC, 0xDDDD};
    return (struct cpuid_result){0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF};
}

static struct statistics counters;
void guest_memory_show_again(struct vcpu *vcpu)
{
    (void)vcpu;
}

static struct run_facts facts = {.vcpus = 1};

static int reset(void **state)
{
    statistics = &counters;
    run_facts = &facts;
    (void)state;
    memset(&vcpu, 0, sizeof(vcpu));
    cpuid_forget(&vcpu.cpuid_cache);
    in_64bit_mode = true;
    features_init();
    guest_cr4 = ~0ull;
    highest_basic = 0x20;
    cpuid_conceals_tally = false;
    executed = 0;
    return 0;
}

static struct cpuid_result ask(u32 leaf, u32 subleaf)
{
    for (unsigned i = 0; i < GPRS; i++)
        vcpu.gpr[i] = 0xABCD000000000000 + i;
    vcpu.gpr[RAX] = 0x1234567800000000 | leaf; /* upper halves do not count */
    vcpu.gpr[RCX] = 0x1234567800000000 | subleaf;
    assert_int_equal(exit_cpuid(&vcpu), EXIT_ADVANCE);
    for (unsigned i = RSP; i < GPRS; i++)
        assert_true(vcpu.gpr[i] == 0xABCD000000000000 + i);
    const u64 *gpr = vcpu.gpr;
    assert_true((gpr[RAX] | gpr[RBX] | gpr[RCX] | gpr[RDX]) <= 0xFFFFFFFF);
    return (struct cpuid_result){gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]};
}

static void answers(u32 leaf, u32 subleaf, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
    struct cpuid_result r = ask(leaf, subleaf), expected = {eax, ebx, ecx, edx};
    if (memcmp(&r, &expected, sizeof(r)) != 0)
        fail_msg("leaf %x/%x: %x %x %x %x instead of %x %x %x %x", leaf, subleaf, r.eax, r.ebx,
                 r.ecx, r.edx, eax, ebx, ecx, edx);
}

static u32 all_but(u64 bits)
{
    return (u32)~bits;
}

/* Counted at once, noted when the exit's time has been taken. */
static void marks_wait_for_the_end_of_the_exit(void **state)
{
    static u64 buffer[512];
    (void)state;
    answers(LEAF_MARK, 0x44434241, 0, 0, 0, 0); /* no time line */
    assert_false(vcpu.mark_waits);
    timeline_log = (struct timeline_log *)buffer;
    timeline_init(sizeof(buffer), 1000);
    answers(LEAF_MARK, 0x44434241, 1, 0, 0, 0);
    answers(LEAF_MARK, 0x44434241, 2, 0, 0, 0);
    assert_true(vcpu.mark_waits);
    assert_memory_equal(vcpu.mark + 4, "ABCD", 4); /* EBX, ECX, EDX, ESI */
    assert_int_equal(timeline_log->used, 0);
}

static void features_are_hidden(void **state)
{
    (void)state;
    for (unsigned again = 0; again < 2; again++) { /* the second time from the cache */
        answers(0x1, 0, ~0u, ~0u, all_but(0x7C | BIT(11) | BIT(16)),
                all_but(BIT(10) | BIT(20) | BIT(21) | BIT(30)));
        answers(0x6, 0, 0x0157EFF7, ~0u, 9, 0);
        answers(0x7, 0, ~0u, all_but(BIT(2) | BIT(22) | BIT(25)),
                all_but(BIT(13) | BIT(15) | BIT(23) | BIT(26) | BITS(31, 29)),
                all_but(BIT(0) | BIT(1) | BITS(7, 5) | BIT(12) | BITS(19, 17) | BIT(21)));
        answers(0x7, 1, 0xC8EC1DBF, BIT(0) | BIT(3), BIT(2) | BIT(5), 0x000CC530);
        answers(0x7, 2, 0, 0, 0, 0xBF);
        answers(0x7, 3, 0, 0, 0, 0);
        answers(0xD, 0, 0x000602FF, ~0u, ~0u, 0);
        answers(0xD, 1, 0x1F, ~0u, BITS(13, 11) | BIT(16), 0);
        answers(0x80000001, 0, ~0u, ~0u, 0x121, 0x2C100800);
        answers(0x80000007, 0, ~0u, ~0u, ~0u, BIT(8));
        answers(0x80000008, 0, 0x392E, 0, 0, 0); /* what the EPT maps, of 52 bits */
    }
    for (u32 component = 2; component < 64; component++) {
        bool there = component < 32 && 0x00073AFC >> component & 1;
        assert_int_equal(ask(0xD, component).eax, there ? ~0u : 0);
    }
    highest_basic = 0x30;
    static const u8 empty[] = {0x5,  0x8,  0xC,  0xE,  0x11, 0x12, 0x13, 0x14, 0x19, 0x1B,
                               0x1C, 0x21, 0x22, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2F};
    for (unsigned i = 0; i < ARRAY_SIZE(empty); i++)
        for (u32 subleaf = 0; subleaf < 3; subleaf++)
            answers(empty[i], subleaf, 0, 0, 0, 0);
    answers(0x23, 0, 0xF, ~0u, ~0u, ~0u);
    answers(0x23, 1, ~0u, ~0u, ~0u, ~0u);
    answers(0x2, 0, ~0u, ~0u, ~0u, ~0u); /* all else is the CPU's */
    answers(0x4, 3, ~0u, ~0u, ~0u, ~0u);
}

static void instructions_with_a_control_follow_it(void **state)
{
    (void)state;
    static const struct {
        u32 control, leaf, subleaf, reg, bits;
    } rows[] = {
        {PROC2_ENABLE_INVPCID, 7, 0, RBX, BIT(10)},
        {PROC2_ENABLE_USER_WAIT, 7, 0, RCX, BIT(5)},
        {PROC2_ENABLE_RDTSCP, 7, 0, RCX, BIT(22)},
        {PROC2_ENABLE_RDTSCP, 0x80000001, 0, RDX, BIT(27)},
        {PROC2_ENABLE_XSAVES, 0xD, 1, RAX, BIT(3)},
        {PROC2_ENABLE_XSAVES, 0xD, 1, RCX, BIT(11)},
    };
    for (unsigned on = 0; on < 2; on++) {
        reset(NULL);
        features_need(on ? 0 : ~0u, on ? PROC3_ENABLE_MSRLIST : ~PROC3_ENABLE_MSRLIST);
        assert_int_equal(ask(7, 1).eax >> 27 & 1, on);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned on = 0; on < 2; on++) {
            reset(NULL);
            features_need(on ? rows[i].control : ~rows[i].control, 0);
            ask(rows[i].leaf, rows[i].subleaf);
            assert_int_equal(vcpu.gpr[rows[i].reg] & rows[i].bits, on ? rows[i].bits : 0);
        }
}

static void two_bits_follow_cr4(void **state)
{
    (void)state;
    for (unsigned again = 0; again < 2; again++) {
        guest_cr4 = ~CR4_OSXSAVE;
        assert_false(ask(1, 0).ecx & BIT(27));
        guest_cr4 = CR4_OSXSAVE;
        assert_true(ask(1, 0).ecx & BIT(27));
        guest_cr4 = ~CR4_PKE;
        assert_false(ask(7, 0).ecx & BIT(4));
        guest_cr4 = CR4_PKE;
        assert_true(ask(7, 0).ecx & BIT(4));
    }
}

/* SDM vol. 2, CPUID: elsewhere SYSCALL is always enumerated as 0. */
static void syscall_is_shown_in_64_bit_mode_only(void **state)
{
    (void)state;
    for (unsigned again = 0; again < 2; again++) {
        in_64bit_mode = false;
        assert_int_equal(ask(0x80000001, 0).edx, 0x2C100000);
        in_64bit_mode = true;
        assert_int_equal(ask(0x80000001, 0).edx, 0x2C100800);
    }
}

static void ia32_misc_enable_hides_leaves_and_execute_disable(void **state)
{
    (void)state;
    vcpu.misc_enable = MISC_ENABLE_XD_DISABLE;
    assert_int_equal(ask(0x80000001, 0).edx, 0x2C000800);
    vcpu.misc_enable = MISC_ENABLE_LIMIT_CPUID;
    answers(0, 0, 2, 0x756E6547, 0x6C65746E, 0x49656E69);
    answers(7, 0, ~0u, ~0u, ~0u, ~0u); /* as leaf 2 */
    assert_int_equal(ask(0x80000001, 0).eax, ~0u);
    assert_int_equal(ask(LEAF_INFO, 0).eax, TALLY_ABI_VERSION);
}

static void the_hypervisor_is_announced(void **state)
{
    (void)state;
    struct cpuid_result r = ask(LEAF_HYPERVISOR, 0);
    char signature[13] = "";
    memcpy(signature, &r.ebx, 12);
    assert_int_equal(r.eax, LEAF_HYPERVISOR);
    assert_string_equal(signature, "Tally VMX HV");
    assert_true(ask(1, 0).ecx & BIT(31));
    answers(0x40000001, 0, 0, 0, 0, 0); /* nothing of a hypervisor underneath */
    answers(0x400000FF, 0, 0, 0, 0, 0);
    answers(0x40000100, 7, 0x20, 7, 0xCCCC, 0xDDDD);
}

static void the_hypervisor_is_not_announced(void **state)
{
    (void)state;
    cpuid_conceals_tally = true;
    assert_false(ask(1, 0).ecx & BIT(31));
    cpuid_forget(&vcpu.cpuid_cache); /* a write of IA32_BIOS_SIGN_ID: leaf 1 loads it */
    executed_leaf = 0;
    assert_false(ask(1, 0).ecx & BIT(31));
    assert_int_equal(executed_leaf, 1);
    answers(0x40000000, 5, 0x20, 5, 0xCCCC, 0xDDDD); /* the highest basic leaf */
    answers(0x40000001, 0, 0x20, 0, 0xCCCC, 0xDDDD);
    assert_int_equal(ask(LEAF_INFO, 0).eax, TALLY_ABI_VERSION); /* statistics all the same */
}

static void beyond_the_highest_leaf(void **state)
{
    (void)state;
    answers(0x21, 9, 0x20, 9, 0xCCCC, 0xDDDD);
    answers(0x80000009, 1, 0x20, 1, 0xCCCC, 0xDDDD);
    answers(0xFFFFFFFF, 0, 0x20, 0, 0xCCCC, 0xDDDD);
    reset(NULL);
    highest_basic = 0xB;
    answers(0x14, 2, 0xB, 2, 0xCCCC, 0xDDDD); /* not a leaf here, so not one that is hidden */
    reset(NULL);
    highest_basic = 0x14;
    answers(0x15, 0, 0, 0, 0, 0); /* but what leaf 0x14 would say stays hidden */
}

static void constant_leaves_are_asked_once(void **state)
{
    (void)state;
    ask(4, 2);
    ask(1, 0);
    ask(7, 0);
    ask(0xD, 2);
    unsigned before = executed;
    ask(4, 2);
    ask(1, 0);
    ask(7, 0);
    ask(0xD, 2);
    assert_int_equal(executed, before);
    ask(0xD, 1);
    before = executed;
    ask(0xD, 1); /* depends on XCR0 */
    assert_true(executed > before);

    cpuid_forget(&vcpu.cpuid_cache);
    before = executed;
    ask(4, 2);
    assert_true(executed > before);
}

/* Slots are shared: whatever was asked before, each leaf gets its own answer. */
static void the_cache_never_mixes_leaves(void **state)
{
    (void)state;
    highest_basic = 0x1F;
    for (u32 i = 0, x = 1; i < 20000; i++) {
        x = x * 1664525 + 1013904223;
        u32 leaf = x >> 28 == 4 ? x >> 8 : (x >> 24 & 0x3F), subleaf = x >> 12 & 7;
        static const u32 constant[] = {0x1F, 0x5, 0x2, 0x80000008, 0x40000001};
        u32 expected[] = {0x1F, 0, ~0u, 0x392E, 0};
        unsigned which = x % ARRAY_SIZE(constant);
        ask(leaf, subleaf);
        assert_int_equal(ask(constant[which], subleaf).eax, expected[which]);
        struct cpuid_result r = ask(0x23 + (x & 0xFF), subleaf);
        assert_int_equal(r.eax, 0x1F);
        assert_int_equal(r.ebx, subleaf);
    }
}

static void statistics_are_never_cached(void **state)
{
    (void)state;
    for (u32 i = 1; i < 5; i++) {
        counters.reason[EXIT_CPUID].count = i;
        answers(LEAF_EXITS, 0, i, 0, 0, 0);
        answers(LEAF_REASON_EXITS, EXIT_CPUID, i, 0, 0, 0);
        answers(LEAF_REASON_EXITS, 86, 0, 0, 0, 0xFFFFFFFF);
    }
    assert_int_equal(executed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(features_are_hidden, reset),
        cmocka_unit_test_setup(marks_wait_for_the_end_of_the_exit, reset),
        cmocka_unit_test_setup(instructions_with_a_control_follow_it, reset),
        cmocka_unit_test_setup(two_bits_follow_cr4, reset),
        cmocka_unit_test_setup(syscall_is_shown_in_64_bit_mode_only, reset),
        cmocka_unit_test_setup(ia32_misc_enable_hides_leaves_and_execute_disable, reset),
        cmocka_unit_test_setup(the_hypervisor_is_announced, reset),
        cmocka_unit_test_setup(the_hypervisor_is_not_announced, reset),
        cmocka_unit_test_setup(beyond_the_highest_leaf, reset),
        cmocka_unit_test_setup(constant_leaves_are_asked_once, reset),
        cmocka_unit_test_setup(the_cache_never_mixes_leaves, reset),
        cmocka_unit_test_setup(statistics_are_never_cached, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
