// Which controls Tally runs with, or why not, on machines that nobody has.
// link: tests/unit/controls_machine.c tests/unit/fake_vmcs*.c
#include "controls_machine.h"

#include <stdio.h>
#include <string.h>

#include "x86/msr.h"

static const char *refusal(void)
{
    struct vmx_capabilities c;
    struct controls out;
    const char *text = negotiate(PROFILE_MINIMAL, &c, &out);
    return text ? text : "runs";
}

static void construct(void)
{
    machine = *recorded("Bochs 2.7, tigerlake");
    machine.name = "constructed";
}

/* Changes both MSRs of a word: bits that may not be 1 any more, bits that must be 1. */
static void change(u32 number, u32 true_number, u32 not_allowed, u32 forced)
{
    *msr(number) = (*msr(number) & ~((u64)not_allowed << 32)) | forced;
    *msr(true_number) = (*msr(true_number) & ~((u64)not_allowed << 32)) | forced;
}

#define PIN IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS
#define PROC IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS
#define PROC2 IA32_VMX_PROCBASED_CTLS2, IA32_VMX_PROCBASED_CTLS2
#define EXIT IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS
#define ENTRY IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS

static void missing_controls_are_named(void **state)
{
    (void)state;
    static const struct {
        u32 number, true_number;
        u64 lacking;
        const char *refusal;
    } rows[] = {
        {PIN, PIN_NMI_EXITING, "NMI exiting (pin-based control 3)"},
        {PIN, PIN_VIRTUAL_NMIS, "virtual NMIs (pin-based control 5)"},
        {PROC, PROC_USE_MSR_BITMAPS, "use MSR bitmaps (primary processor-based control 28)"},
        {PROC, PROC_NMI_WINDOW_EXITING, "NMI-window exiting (primary processor-based control 22)"},
        {PROC2, PROC2_ENABLE_EPT, "enable EPT (secondary processor-based control 1)"},
        {PROC2, PROC2_UNRESTRICTED_GUEST,
         "unrestricted guest (secondary processor-based control 7)"},
        {EXIT, EXIT_HOST_ADDRESS_SPACE_SIZE, "host address-space size (VM-exit control 9)"},
        {EXIT, EXIT_LOAD_EFER, "load IA32_EFER (VM-exit control 21)"},
        {ENTRY, ENTRY_IA32E_MODE_GUEST, "IA-32e mode guest (VM-entry control 9)"},
        {ENTRY, ENTRY_LOAD_PAT, "load IA32_PAT (VM-entry control 14)"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        construct();
        change(rows[i].number, rows[i].true_number, (u32)rows[i].lacking, 0);
        char expected[160];
        snprintf(expected, sizeof(expected), "this CPU cannot: %s", rows[i].refusal);
        assert_string_equal(refusal(), expected);
    }
}

/* The MSRs of what a CPU lacks do not exist: reading one fails the test. */
static void missing_msrs_are_not_read(void **state)
{
    (void)state;
    construct();
    change(PROC, (u32)PROC_ACTIVATE_SECONDARY, 0);
    machine.missing = 3 << 0xB | 1 << 0x11; /* 48BH, 48CH, 491H */
    assert_string_equal(
        refusal(),
        "this CPU cannot: activate secondary controls (primary processor-based control 31)");

    construct();
    change(PROC2, (u32)(PROC2_ENABLE_EPT | PROC2_ENABLE_VPID), 0);
    machine.missing = 1 << 0xC;
    assert_string_equal(refusal(),
                        "this CPU cannot: enable EPT (secondary processor-based control 1)");

    construct();
    *msr(IA32_VMX_BASIC) &= ~VMX_BASIC_TRUE_CONTROLS;
    machine.missing = 0xF << 0xD; /* 48DH to 490H */
    struct vmx_capabilities c;
    struct controls out;
    assert_null(negotiate(PROFILE_MINIMAL, &c, &out)); /* runs, with exits by MOV CR3 */
    assert_true(out.proc & PROC_CR3_LOAD_EXITING && out.proc & PROC_CR3_STORE_EXITING);
    check_entry(&c, &out);
}

static void forced_controls(void **state)
{
    (void)state;
    struct vmx_capabilities c;
    struct controls out;

    construct(); /* one that Tally knows how to use is used */
    change(PROC, 0, (u32)PROC_HLT_EXITING);
    assert_null(negotiate(PROFILE_MINIMAL, &c, &out));
    assert_true(out.proc & PROC_HLT_EXITING);
    check_entry(&c, &out);

    construct();
    change(PROC, 0, (u32)PROC_USE_TPR_SHADOW);
    assert_string_equal(refusal(), "this CPU insists on: a control that Tally does not know "
                                   "(primary processor-based control 21)");

    construct();
    change(EXIT, 0, 1u << 28);
    assert_string_equal(
        refusal(), "this CPU insists on: a control that Tally does not know (VM-exit control 28)");

    construct();
    change(PIN, 0, 1u << 30);
    assert_string_equal(
        refusal(),
        "this CPU insists on: a control that Tally does not know (pin-based control 30)");
}

static void ept_and_vpid_as_they_come(void **state)
{
    (void)state;
    struct vmx_capabilities c;
    struct controls out;

    construct();
    *msr(IA32_VMX_EPT_VPID_CAP) &= ~EPT_CAP_WB;
    assert_string_equal(refusal(), "this CPU cannot: EPT structures in write-back memory "
                                   "(IA32_VMX_EPT_VPID_CAP bit 14)");
    construct();
    *msr(IA32_VMX_EPT_VPID_CAP) &= ~EPT_CAP_INVEPT;
    assert_string_equal(refusal(), "this CPU cannot: INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)");

    construct(); /* a VPID that cannot be flushed is not used */
    *msr(IA32_VMX_EPT_VPID_CAP) &= ~VPID_CAP_INVVPID;
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_false(out.proc2 & PROC2_ENABLE_VPID);
    check_entry(&c, &out);

    construct();
    change(PROC2, (u32)PROC2_ENABLE_VPID, 0);
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_false(out.proc2 & PROC2_ENABLE_VPID);
}

static void oddities(void **state)
{
    (void)state;
    struct vmx_capabilities c;
    struct controls out;

    construct(); /* the guest cannot sleep in HLT, so HLT must not exit */
    *msr(IA32_VMX_MISC) &= ~VMX_MISC_ACTIVITY_HLT;
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_false(out.proc & PROC_HLT_EXITING);

    construct(); /* tertiary controls: only RDMSRLIST and WRMSRLIST of all that there may be */
    *msr(IA32_VMX_PROCBASED_CTLS) |= (u64)PROC_ACTIVATE_TERTIARY << 32;
    *msr(IA32_VMX_TRUE_PROCBASED_CTLS) |= (u64)PROC_ACTIVATE_TERTIARY << 32;
    *msr(IA32_VMX_PROCBASED_CTLS3) = 0xFF;
    for (enum tally_profile profile = PROFILE_MINIMAL; profile <= PROFILE_ALL; profile++) {
        assert_null(negotiate(profile, &c, &out)); /* or the guest would lack the instructions */
        assert_true(out.proc & PROC_ACTIVATE_TERTIARY && out.proc3 == PROC3_ENABLE_MSRLIST);
        check_entry(&c, &out);
    }
    *msr(IA32_VMX_PROCBASED_CTLS3) = 0;
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_false(out.proc & PROC_ACTIVATE_TERTIARY);

    construct();
    change(PIN, (u32)PIN_NMI_EXITING, 0);
    vmx_capabilities_read(&c, read_recorded, machine.address_sizes);
    assert_non_null(controls_negotiate(&c, PROFILE_ALL, &out));
}

static void address_widths(void **state)
{
    (void)state;
    static const struct {
        u32 address_sizes;
        u8 physical, linear;
    } widths[] = {
        {0, 36, 48}, {0x3024, 36, 48}, {0x3027, 39, 48}, {0x302E, 46, 48}, {0x3934, 52, 57},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(widths); i++) {
        construct();
        machine.address_sizes = widths[i].address_sizes;
        struct vmx_capabilities c;
        struct controls out;
        assert_null(negotiate(PROFILE_ALL, &c, &out));
        assert_int_equal(c.physical_bits, widths[i].physical);
        assert_int_equal(c.linear_bits, widths[i].linear);
        check_entry(&c, &out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_controls_are_named),
        cmocka_unit_test(missing_msrs_are_not_read),
        cmocka_unit_test(forced_controls),
        cmocka_unit_test(ept_and_vpid_as_they_come),
        cmocka_unit_test(oddities),
        cmocka_unit_test(address_widths),
    };
    return cmocka_run_group_tests_name("VMX controls: constructed machines", tests, NULL, NULL);
}
