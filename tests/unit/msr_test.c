// MSRs that would reach into Tally, or around it, and those whose register must keep Tally's value.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "fake_machine.h"

#include <string.h>

#include "exits/cpuid_msr.h"
#include "lib/print.h"
#include "host/frames.h"
#include "vmx/controls.h"
#include "x86/msr.h"

#define GP (INTERRUPTION_VALID | INTERRUPTION_ERROR_CODE | 3 << 8 | VECTOR_GP)

/* Whether the guest's instruction was carried out; else it got #GP. */
static bool access_msr(u32 reason, u32 msr)
{
    fake_set(GUEST_RIP, FAKE_RIP);
    fake_vcpu.gpr[RCX] = BIT(32) | msr;
    fake_exit(reason, 0, 2);
    assert_true(fake_dispatch());
    u64 info = fake_get(VM_ENTRY_INTERRUPTION_INFO);
    assert_true(info == 0 || info == (u32)GP);
    assert_int_equal(fake_get(GUEST_RIP), info ? FAKE_RIP : FAKE_RIP + 2);
    assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE), 0);
    return !info;
}

static bool write_msr(u32 msr, u64 value)
{
    fake_vcpu.gpr[RAX] = BIT(32) | (u32)value;
    fake_vcpu.gpr[RDX] = BIT(32) | value >> 32;
    return access_msr(EXIT_WRMSR, msr);
}

static bool read_msr(u32 msr)
{
    return access_msr(EXIT_RDMSR, msr);
}

static void reads_as(u32 msr, u64 value)
{
    fake_vcpu.gpr[RAX] = fake_vcpu.gpr[RDX] = ~0ull;
    assert_true(read_msr(msr));
    assert_int_equal(fake_vcpu.gpr[RAX], (u32)value);
    assert_int_equal(fake_vcpu.gpr[RDX], value >> 32);
}

static void no_output(char c)
{
    (void)c;
}

static int setup(void **state)
{
    (void)state;
    print_sink = no_output;
    fake_machine(PROFILE_ALL);
    bitmaps_init();
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
        {IA32_EFER, GUEST_IA32_EFER, EFER_LME | EFER_LMA, EFER_LMA}, /* paging is on */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 value;
        assert_false(fake_msr_get(rows[i].msr, &value));
        assert_true(write_msr(rows[i].msr, rows[i].good));
        assert_int_equal(fake_get(rows[i].field), rows[i].good);
        reads_as(rows[i].msr, rows[i].good);
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
        {0x11, 0x12, false}, /* KVM's old clocks */
        {IA32_SGXLEPUBKEYHASH0, IA32_SGXLEPUBKEYHASH3, false},
        {IA32_SMM_MONITOR_CTL, IA32_SMM_MONITOR_CTL, false},
        {IA32_SMBASE, IA32_SMBASE, false},
        {IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2, false},
        {0xED, 0xF0, false}, /* remote action requests */
        {IA32_DEBUG_INTERFACE, IA32_DEBUG_INTERFACE, true},
        {IA32_SMRR_PHYSBASE, SMRR2_PHYSMASK, true},
        {0x2B8, 0x2C7, false},
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

static char console[256];
static unsigned printed;

static void record(char c)
{
    if (printed < sizeof(console) - 1)
        console[printed++] = c;
    console[printed] = 0;
}

static bool swallowed(u32 msr)
{
    u64 value;
    fake_msr(msr, 1);
    return write_msr(msr, 2) && fake_msr_get(msr, &value) && value == 1;
}

/* RAR, PRMRR and the like, that a guest could write until a list of the harmless came; and one that
 * nobody knows. */
static void only_harmless_msrs_are_written(void **state)
{
    (void)state;
    static const u32 msrs[] = {0x80, 0x2A0, 0x2A7, 0x2E0, 0x2F4, 0x2F5, 0x9FF, 0x2D3, 0xC0001234};
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        assert_true(swallowed(msrs[i]));
        reads_as(msrs[i], 1);
    }
    assert_true(swallowed(0x3005));    /* in no range of the MSR bitmap */
    assert_false(write_msr(0x2D4, 1)); /* the machine has none */
    fake_msr(0x2FF0, 1);
    assert_true(write_msr(0x2FF0, 2)); /* of the uncore */
    reads_as(0x2FF0, 2);
}

static void the_first_write_to_an_unknown_msr_is_told(void **state)
{
    (void)state;
    printed = 0;
    print_sink = record;
    swallowed(0x2C8);
    assert_string_equal(console,
                        "tally: the guest's CPU 0 wrote 2 to MSR 2c8, not known to be harmless: "
                        "swallowed (option msr=)\n");
    printed = 0;
    swallowed(0x2C8);
    assert_int_equal(printed, 0);
    write_msr(0x2C9, 2); /* not there: no line */
    assert_int_equal(printed, 0);
    for (u32 msr = 0x1000; msr < 0x1028; msr++)
        swallowed(msr);
    printed = 0;
    swallowed(0x1100); /* a guest cannot fill the console */
    assert_int_equal(printed, 0);
}

static void the_option_decides_about_unknown_msrs(void **state)
{
    (void)state;
    fake_msr(0x2D3, 1);
    fake_msr(0x2E0, 1);
    msr_init(PROFILE_ALL, MSR_FAULT);
    assert_false(write_msr(0x2D3, 2));
    assert_false(write_msr(0x2E0, 2));
    reads_as(0x2D3, 1);
    msr_init(PROFILE_ALL, MSR_OPEN);
    assert_true(write_msr(0x2D3, 2));
    reads_as(0x2D3, 2);
    assert_true(swallowed(0x2E0)); /* known to do harm */
    assert_false(write_msr(0x2D4, 2));
    msr_init(PROFILE_ALL, MSR_DROP);
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
        {MSR_TEST_CTRL, BIT(29), BIT(28)}, /* locked accesses to UC memory fault */
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
    reads_as(IA32_DEBUGCTL, DEBUGCTL_LBR);
}

static void what_the_guest_is_told(void **state)
{
    (void)state;
    assert_true(write_msr(IA32_SYSENTER_CS, 0x123456789));
    reads_as(IA32_SYSENTER_CS, 0x23456789);
    reads_as(IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCK);
    assert_false(write_msr(IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCK));
    assert_true(write_msr(IA32_BIOS_UPDT_TRIG, 0x1000)); /* and no update */
    assert_false(read_msr(IA32_BIOS_UPDT_TRIG));
    fake_msr(IA32_MISC_ENABLE, BIT(18) | BIT(0));
    reads_as(IA32_MISC_ENABLE, BIT(0) | BIT(11) | BIT(12)); /* no MONITOR, BTS and PEBS */
    assert_true(write_msr(IA32_EFER, EFER_SCE | EFER_LME)); /* LMA is read-only */
    reads_as(IA32_EFER, EFER_SCE | EFER_LME | EFER_LMA);
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_IA32_EFER, 0);
    assert_true(write_msr(IA32_EFER, EFER_LME | EFER_LMA));
    reads_as(IA32_EFER, EFER_LME);
    fake_msr(0xCF, ~0ull); /* IA32_CORE_CAPABILITIES without remote action requests */
    reads_as(0xCF, BIT(0) | BIT(3) | BIT(5));
    fake_msr(0x1234, 0x9876543210);
    reads_as(0x1234, 0x9876543210);
    assert_false(read_msr(0x1235));
    assert_false(write_msr(0x1235, 0));
}

/* The fake CPU has none of these registers. Each write changes what the EPT says of a page. */
static void mtrrs_are_the_vcpus(void **state)
{
    (void)state;
    static const struct {
        u32 msr;
        u64 good[2], bad[2];
    } rows[] = {
        {IA32_MTRR_PHYSBASE0, {6, 0xFFF005}, {2, BIT(8) | 6}},
        {IA32_MTRR_PHYSBASE0 + 14, {0, BIT(39)}, {BIT(40), 7}},
        {IA32_MTRR_PHYSMASK0, {BIT(11), 0}, {BIT(40), BIT(10)}},
        {IA32_MTRR_FIX64K_00000, {0x0606060606060606, 0}, {0x0606060606060607, 0x02ull << 56}},
        {IA32_MTRR_FIX16K_80000, {0x06, 0x05}, {0x02, 0x03}},
        {IA32_MTRR_FIX16K_A0000, {0x04, 0x01}, {0x02, 0x03}},
        {IA32_MTRR_FIX4K_C0000, {0x04, 0x05}, {0x02, 0x03}},
        {IA32_MTRR_FIX4K_F8000, {0x04ull << 56, 0x05}, {0x02, 0x08}},
        {IA32_MTRR_DEF_TYPE, {BIT(11) | BIT(10) | 6, 0}, {BIT(9), 2}},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        assert_false(write_msr(rows[i].msr, rows[i].good[0])); /* a CPU without */
    fake_vcpu.mtrr = (struct mtrr_state){.cap = BIT(10) | BIT(8) | 8, .physical_bits = 40};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned n = 0; n < 2; n++) {
            unsigned before = fake_retypes;
            assert_true(write_msr(rows[i].msr, rows[i].good[n]));
            assert_int_equal(fake_retypes, before + 1);
            assert_false(write_msr(rows[i].msr, rows[i].bad[n]));
            assert_int_equal(fake_retypes, before + 1);
            reads_as(rows[i].msr, rows[i].good[n]);
        }
    assert_false(read_msr(IA32_MTRR_PHYSBASE0 + 16)); /* of 8 pairs */
    assert_false(read_msr(IA32_MTRR_LAST_PHYSMASK));
    fake_vcpu.mtrr.cap = 8;
    assert_false(write_msr(IA32_MTRR_FIX64K_00000, 0));
    assert_false(write_msr(IA32_MTRR_DEF_TYPE, CACHE_WC)); /* not supported now */
}

/* Cycles of an exit that writes the TSC are those of another clock, but not nonsense. */
static void the_tsc_takes_the_stamp_along(void **state)
{
    (void)state;
    static const u32 msrs[] = {IA32_TSC, IA32_TSC_ADJUST};
    assert_false(write_msr(IA32_TSC_ADJUST, 0)); /* this CPU has none */
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        fake_msr(msrs[i], 0);
        fake_vcpu.exit_tsc = 1000;
        fake_vcpu.tsc_moved = 77;
        u64 before = rdtsc();
        assert_true(write_msr(msrs[i], 5));
        assert_true(fake_vcpu.exit_tsc > 1000 && fake_vcpu.exit_tsc < 1000 + rdtsc() - before);
        assert_int_equal(fake_vcpu.exit_tsc - 1000, fake_vcpu.tsc_moved - 77);
        reads_as(msrs[i], 5);
    }
}

static void features_come_and_go(void **state)
{
    (void)state;
    static const u32 msrs[] = {IA32_APIC_BASE, IA32_MISC_ENABLE, TSX_FORCE_ABORT, IA32_TSX_CTRL,
                               IA32_BIOS_SIGN_ID};
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
        fake_vcpu.cpuid_cache.entry[5].key = 5;
        fake_msr(msrs[i], 0);
        assert_true(write_msr(msrs[i], 0));
        assert_int_equal(fake_vcpu.cpuid_cache.entry[5].key, 0);
    }
}

/* ---- Which accesses exit ---- */

static u8 frames[3 * PAGE_SIZE];

void *frames_alloc(unsigned count)
{
    assert_int_equal(count, 3);
    return memset(frames, 0, sizeof(frames));
}

u64 frame_physical(const void *frame)
{
    return (u64)((const u8 *)frame - frames);
}

static bool is_set(u64 physical, u32 bit)
{
    return frames[physical + bit / 8] >> bit % 8 & 1;
}

/* SDM vol. 3, 'MSR-Bitmap Address'. */
static unsigned exiting(u32 msr)
{
    u32 bit = msr % 0x2000 + (msr >= 0xC0000000 ? 0x2000 : 0);
    u64 bitmap = msr_bitmap_physical();
    return (is_set(bitmap, bit) ? MSR_READ : 0) | (is_set(bitmap + 2048, bit) ? MSR_WRITE : 0);
}

/* Hardware keeps the bits that Tally needs; the guest sees what it wrote. */
static void ia32_misc_enable_is_partly_software(void **state)
{
    (void)state;
    u64 value;
    fake_msr(IA32_MISC_ENABLE, BIT(18) | BIT(12) | BIT(7));
    assert_true(write_msr(IA32_MISC_ENABLE, BIT(34) | BIT(22) | BIT(0)));
    assert_true(fake_msr_get(IA32_MISC_ENABLE, &value) && value == (BIT(18) | BIT(12) | BIT(0)));
    reads_as(IA32_MISC_ENABLE, BIT(34) | BIT(22) | BIT(12) | BIT(11) | BIT(0));
    assert_int_equal(exiting(IA32_EFER), MSR_WRITE); /* in `minimal`, too */
    assert_false(write_msr(IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE));
    assert_true(write_msr(IA32_EFER, EFER_LME | EFER_LMA));
    assert_true(write_msr(IA32_MISC_ENABLE, BIT(0)));
    reads_as(IA32_MISC_ENABLE, BIT(12) | BIT(11) | BIT(0));
    assert_true(write_msr(IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE));
}

static void profiles_let_msrs_pass(void **state)
{
    (void)state;
    enum { NONE, R, W, RW };
    static const struct {
        u32 msr;
        u8 minimal, kvm;
    } rows[] = {
        {IA32_TSC, W, RW},
        {0x11, RW, RW},
        {IA32_APIC_BASE, W, RW},
        {IA32_FEATURE_CONTROL, RW, RW},
        {IA32_TSC_ADJUST, W, RW},
        {0x47, NONE, RW},
        {IA32_SPEC_CTRL, NONE, NONE},
        {IA32_SPEC_CTRL + 1, NONE, NONE},
        {IA32_SPEC_CTRL + 2, W, RW}, /* unknown */
        {0x1234, W, RW},
        {0x1FFF, NONE, RW},
        {0xC0001FFF, W, RW},
        {IA32_BIOS_UPDT_TRIG, RW, RW},
        {IA32_BIOS_SIGN_ID, W, RW},
        {TSX_FORCE_ABORT, W, RW},
        {IA32_TSX_CTRL, W, RW},
        {IA32_SYSENTER_CS - 1, W, RW},
        {IA32_SYSENTER_CS, NONE, NONE},
        {IA32_SYSENTER_EIP, NONE, NONE},
        {IA32_MISC_ENABLE, RW, RW},
        {IA32_PAT, NONE, RW},
        {IA32_MTRR_DEF_TYPE, RW, RW},
        {IA32_VMX_BASIC, RW, RW},
        {IA32_XSS, W, RW},
        {IA32_EFER, NONE, RW},
        {IA32_STAR, NONE, NONE},
        {IA32_FMASK, NONE, NONE},
        {IA32_FS_BASE, NONE, NONE},
        {IA32_KERNEL_GS_BASE, NONE, NONE},
        {IA32_TSC_AUX, NONE, RW},
    };
    for (enum tally_profile profile = PROFILE_MINIMAL; profile <= PROFILE_KVM; profile++) {
        bitmaps_init();
        msr_init(profile, MSR_DROP);
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
            if (exiting(rows[i].msr) != (profile ? rows[i].kvm : rows[i].minimal))
                fail_msg("MSR %#x, profile %u: %u", rows[i].msr, profile, exiting(rows[i].msr));
    }
    memset(frames, 0, sizeof(frames));
    msr_init(PROFILE_ALL, MSR_DROP); /* goes without the bitmap */
    for (unsigned i = 0; i < sizeof(frames); i++)
        assert_int_equal(frames[i], 0);
}

static void watched_ports_exit(void **state)
{
    (void)state;
    static const u16 ports[] = {0x3F8, 0x7FFF, 0x8900, 0xFFFF};
    bitmaps_init();
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
        intercept_port(ports[i]);
    for (u32 port = 0, i = 0; port <= 0xFFFF; port++) {
        bool exits = is_set(io_bitmap_physical(port >> 15), port & 0x7FFF);
        assert_int_equal(exits, port == ports[i]);
        i += exits;
    }
}

/* An SMM handler may look at the registers of the CPU whose OUT to B2H called it. */
static void requests_to_smm_are_the_guests(void **state)
{
    (void)state;
    bitmaps_init();
    intercept_most_ports();
    for (u32 port = 0; port <= 0xFFFF; port++)
        assert_int_equal(is_set(io_bitmap_physical(port >> 15), port & 0x7FFF), port != 0xB2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(registers_of_tallys_own_are_not_touched),
        TEST(what_reaches_memory_without_an_exit_faults),
        TEST(only_harmless_msrs_are_written),
        TEST(the_first_write_to_an_unknown_msr_is_told),
        TEST(the_option_decides_about_unknown_msrs),
        TEST(only_some_bits),
        TEST(no_branch_traces),
        TEST(what_the_guest_is_told),
        TEST(features_come_and_go),
        TEST(ia32_misc_enable_is_partly_software),
        TEST(mtrrs_are_the_vcpus),
        TEST(the_tsc_takes_the_stamp_along),
        TEST(profiles_let_msrs_pass),
        TEST(watched_ports_exit),
        TEST(requests_to_smm_are_the_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
