// MSRs that would reach into Tally, or around it, and those whose register must keep Tally's value.
// link: hv/vmx/breakpoints.c
// link: hv/exits/apic.c hv/exits/control_registers.c hv/exits/cpuid.c hv/exits/debug_registers.c
// link: hv/exits/descriptor_tables.c hv/exits/dispatch.c hv/exits/entry_failure.c hv/exits/events.c
// link: hv/exits/hlt.c hv/exits/instructions.c hv/exits/invpcid.c hv/exits/io.c hv/exits/memory.c
// link: hv/exits/msr*.c hv/exits/random.c hv/exits/string_io.c hv/exits/task_segments.c
// link: hv/exits/task_state.c hv/exits/task_switch.c hv/exits/xsetbv.c hv/vmx/break_rules.c
// link: hv/vmx/capabilities.c hv/vmx/controls.c hv/vmx/dump.c hv/vmx/entry_checks*.c
// link: hv/vmx/events.c hv/vmx/guest_memory.c hv/vmx/guest_paging.c hv/vmx/prefixes.c
// link: hv/vmx/segments.c hv/vmx/startup.c hv/vmx/vcpu.c hv/vmx/vmcs.c hv/stats/counters.c
// link: hv/platform/a20.c hv/stats/leaves.c hv/stats/timeline.c hv/lib/print.c tests/unit/fake_machine.c
// link: tests/unit/fake_vmcs*.c
#include "fake_machine.h"

#include "lib/print.h"
#include "x86/msr.h"

#define GP (INTERRUPTION_VALID | INTERRUPTION_ERROR_CODE | 3 << 8 | VECTOR_GP)

/* Whether the guest's WRMSR was carried out; else it got #GP. */
static bool write_msr(u32 msr, u64 value)
{
    fake_set(VM_ENTRY_INTERRUPTION_INFO, 0);
    fake_vcpu.gpr[RCX] = msr;
    fake_vcpu.gpr[RAX] = (u32)value;
    fake_vcpu.gpr[RDX] = value >> 32;
    fake_exit(EXIT_WRMSR, 0, 2);
    assert_true(fake_dispatch());
    u64 info = fake_get(VM_ENTRY_INTERRUPTION_INFO);
    assert_true(info == 0 || info == (u32)GP);
    return !info;
}

static bool read_msr(u32 msr)
{
    fake_set(VM_ENTRY_INTERRUPTION_INFO, 0);
    fake_vcpu.gpr[RCX] = msr;
    fake_exit(EXIT_RDMSR, 0, 2);
    assert_true(fake_dispatch());
    return !fake_get(VM_ENTRY_INTERRUPTION_INFO);
}

static int setup(void **state)
{
    (void)state;
    fake_machine(PROFILE_ALL);
    return 0;
}

/* The fake CPU has none of these registers: who touches one, in passing even, gets a fault. */
static void registers_of_tallys_own_are_not_touched(void **state)
{
    (void)state;
    static const struct {
        u32 msr;
        enum vmcs_field field;
        u64 good, bad;
    } rows[] = {
        {IA32_FS_BASE, GUEST_FS_BASE, 0x00007FFFFFFFFFFF, 0x0000800000000000},
        {IA32_GS_BASE, GUEST_GS_BASE, 0xFFFF800000000000, 0xFFFF7FFFFFFFFFFF},
        {IA32_SYSENTER_ESP, GUEST_IA32_SYSENTER_ESP, 0xFFFFFFFF80000000, BIT(63)},
        {IA32_SYSENTER_EIP, GUEST_IA32_SYSENTER_EIP, 0xFFFFFFFF80000000, BIT(62)},
        {IA32_PAT, GUEST_IA32_PAT, 0x0007040500070406, 0x0007040600070402},
        {IA32_EFER, GUEST_IA32_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, BIT(12)},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 value;
        assert_false(fake_msr_get(rows[i].msr, &value));
        assert_true(write_msr(rows[i].msr, rows[i].good));
        assert_int_equal(fake_get(rows[i].field), rows[i].good);
        assert_false(write_msr(rows[i].msr, rows[i].bad));
        assert_int_equal(fake_get(rows[i].field), rows[i].good);
    }
}

static void what_reaches_memory_without_an_exit_faults(void **state)
{
    (void)state;
    static const struct {
        u32 first, last;
        bool readable;
    } rows[] = {
        {IA32_SMRR_PHYSBASE, SMRR2_PHYSMASK, true},
        {COPY_SBFT_HASHES, SCAN_STATUS, false},
        {IA32_PEBS_ENABLE, IA32_PEBS_ENABLE, false},
        {IA32_PEBS_BASE, IA32_PEBS_INDEX, false},
        {IA32_RTIT_OUTPUT_BASE, IA32_RTIT_LAST, false},
        {IA32_DS_AREA, IA32_DS_AREA, false},
        {IA32_TME_CAPABILITY, IA32_TME_EXCLUDE_BASE, false},
        {SEAMRR_PHYS_BASE, SEAMRR_PHYS_MASK, true},
        {IA32_LBR_CTL, IA32_LBR_DEPTH, false},
        {IA32_HW_FEEDBACK_PTR, HW_FEEDBACK_LAST, false},
        {0x40000000, 0x40000001, false},
        {0x40000200, 0x40000200, false}, /* Xen's page of hypercalls, beside Hyper-V's */
        {0x4B564D00, 0x4B564D0F, false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        for (u32 msr = rows[i].first; msr <= rows[i].last; msr++) {
            fake_msr(msr, 0x1000);
            assert_false(write_msr(msr, 0x2000));
            u64 value;
            assert_true(fake_msr_get(msr, &value) && value == 0x1000);
            assert_int_equal(read_msr(msr), rows[i].readable);
        }
}

static void only_some_bits(void **state)
{
    (void)state;
    static const struct {
        u32 msr;
        u64 good, bad;
    } rows[] = {
        {IA32_XSS, BIT(11) | BIT(12), BIT(8)}, /* processor trace, by XRSTORS */
        {IA32_XSS, 0, BIT(14)},
        {IA32_MISC_ENABLE, BIT(0) | BIT(22), BIT(34)}, /* no execute-disable */
        {MSR_TEST_CTRL, BIT(29), BIT(28)},             /* locked accesses to UC memory fault */
        {IA32_APIC_BASE, APIC_BASE_ENABLE | APIC_BASE_X2APIC, 0xFEE01000},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_msr(rows[i].msr, 0);
        assert_true(write_msr(rows[i].msr, rows[i].good));
        assert_false(write_msr(rows[i].msr, rows[i].good | rows[i].bad));
        u64 value;
        assert_true(fake_msr_get(rows[i].msr, &value) && value == rows[i].good);
    }
}

/* Hardware would take them, and store Tally's branches behind IA32_DS_AREA. */
static void no_branch_traces(void **state)
{
    (void)state;
    assert_true(write_msr(IA32_DEBUGCTL, DEBUGCTL_LBR));
    assert_int_equal(fake_get(GUEST_IA32_DEBUGCTL), DEBUGCTL_LBR);
    for (unsigned bit = 6; bit <= 10; bit++)
        assert_false(write_msr(IA32_DEBUGCTL, BIT(bit)));
    assert_int_equal(fake_get(GUEST_IA32_DEBUGCTL), DEBUGCTL_LBR);
    u64 value;
    assert_true(fake_msr_get(IA32_DEBUGCTL, &value) && value == 0);
}

static void no_output(char c)
{
    (void)c;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(registers_of_tallys_own_are_not_touched),
        TEST(what_reaches_memory_without_an_exit_faults),
        TEST(only_some_bits),
        TEST(no_branch_traces),
    };
    print_sink = no_output;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
