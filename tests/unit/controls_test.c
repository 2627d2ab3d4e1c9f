// Which controls Tally runs with, or why not, on recorded and on constructed machines.
// link: hv/vmx/controls.c hv/vmx/capabilities.c hv/vmx/describe.c hv/lib/print.c
// link: hv/vmx/entry_checks*.c hv/vmx/dump.c tests/unit/fake_vmcs*.c
#include "fake_vmcs.h"

#include <stdio.h>
#include <string.h>

#include "recorded_caps.h"
#include "vmx/controls.h"
#include "vmx/dump.h"
#include "vmx/entry_checks.h"
#include "x86/msr.h"

static struct recorded_machine machine;

static const struct recorded_machine *recorded(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(recorded_machines); i++)
        if (!strcmp(recorded_machines[i].name, name))
            return &recorded_machines[i];
    fail_msg("no machine '%s'", name);
    return NULL;
}

static u64 *msr(u32 number)
{
    return &machine.msr[number - RECORDED_FIRST];
}

static u64 read_recorded(u32 number)
{
    unsigned index = number - RECORDED_FIRST;
    assert_true(index < RECORDED_MSRS);
    if (machine.missing >> index & 1)
        fail_msg("%s: RDMSR of %#x raises #GP", machine.name, number);
    return machine.msr[index];
}

static const char *negotiate(enum tally_profile profile, struct vmx_capabilities *c,
                             struct controls *out)
{
    static char error[160];
    vmx_capabilities_read(c, read_recorded, machine.address_sizes);
    return controls_negotiate(c, profile, out, error, sizeof(error));
}

static const char *refusal(void)
{
    struct vmx_capabilities c;
    struct controls out;
    const char *text = negotiate(PROFILE_MINIMAL, &c, &out);
    return text ? text : "runs";
}

static void report_rule(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("%s: %s (%s = %#llx)", machine.name, sentence, vmcs_field_name(field),
             (unsigned long long)value);
}

/* Whatever was negotiated makes, with a legal guest, a VMCS that the CPU enters. */
static void check_entry(const struct vmx_capabilities *c, const struct controls *out)
{
    fake_reset();
    controls_write(out);
    if (!(out->proc2 & PROC2_ENABLE_VPID))
        fake_set(VIRTUAL_PROCESSOR_ID, 0);
    fake_set(VM_ENTRY_CONTROLS, out->entry | ENTRY_IA32E_MODE_GUEST);
    assert_int_equal(entry_checks(c, report_rule), 0);
}

/* What Tally says on machines that are too old. */
static const struct {
    const char *name, *refusal;
} refusals[] = {
    {"Bochs 2.7, core2_penryn_t9600",
     "this CPU cannot: enable EPT (secondary processor-based control 1)"},
    {"Bochs 2.7, corei5_lynnfield_750",
     "this CPU cannot: unrestricted guest (secondary processor-based control 7)"},
};

static const char *expected_refusal(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++)
        if (!strcmp(refusals[i].name, name))
            return refusals[i].refusal;
    return NULL;
}

static void recorded_machines_run_every_profile(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(recorded_machines); i++) {
        machine = recorded_machines[i];
        for (enum tally_profile p = PROFILE_MINIMAL; p <= PROFILE_ALL; p++) {
            struct vmx_capabilities c;
            struct controls out;
            const char *error = negotiate(p, &c, &out);
            const char *expected = expected_refusal(machine.name);
            if (expected)
                assert_string_equal(error, expected);
            else if (error)
                fail_msg("%s, profile %u: %s", machine.name, p, error);
            else
                check_entry(&c, &out);
        }
    }
}

/* What the machines lack for the profile `all`. */
#define NEVER "enable PCONFIG, enable ENCLV exiting, VMM bus-lock detection"

static const struct {
    const char *name, *lacking;
} lackings[] = {
    {"Bochs 2.7, corei5_arrandale_m520",
     "RDRAND exiting, enable INVPCID, enable VM functions, enable ENCLS exiting, RDSEED exiting, "
     "enable XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei7_sandy_bridge_2600k",
     "RDRAND exiting, enable INVPCID, enable VM functions, enable ENCLS exiting, RDSEED exiting, "
     "enable XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei7_ivy_bridge_3770k",
     "enable INVPCID, enable VM functions, enable ENCLS exiting, RDSEED exiting, enable "
     "XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"KVM nested in Bochs 2.7, broadwell_ult",
     "enable ENCLS exiting, enable XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs 2.7, broadwell_ult",
     "enable ENCLS exiting, enable XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei3_cnl", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei7_haswell_4770", "enable ENCLS exiting, RDSEED exiting, enable "
                                       "XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei7_icelake_u", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs 2.7, corei7_skylake_x", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs 2.7, tigerlake", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs master, arrow_lake", "enable ENCLS exiting, " NEVER},
    {"Bochs master, broadwell_ult",
     "enable ENCLS exiting, enable XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs master, corei3_cnl", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs master, corei7_haswell_4770", "enable ENCLS exiting, RDSEED exiting, enable "
                                          "XSAVES/XRSTORS, enable user wait and pause, " NEVER},
    {"Bochs master, corei7_icelake_u", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs master, corei7_skylake_x", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"Bochs master, sapphire_rapids", "enable ENCLS exiting, " NEVER},
    {"Bochs master, tigerlake", "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"KVM nested in Bochs master, corei7_skylake_x",
     "enable ENCLS exiting, enable user wait and pause, " NEVER},
    {"KVM nested in Bochs master, corei7_haswell_4770",
     "enable ENCLS exiting, RDSEED exiting, enable XSAVES/XRSTORS, enable user wait and "
     "pause, " NEVER},
};

static void recorded_machines_say_what_they_lack(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_SIZE(lackings) + ARRAY_SIZE(refusals), ARRAY_SIZE(recorded_machines));
    for (unsigned i = 0; i < ARRAY_SIZE(lackings); i++) {
        machine = *recorded(lackings[i].name);
        struct vmx_capabilities c;
        struct controls out;
        char text[512];
        assert_null(negotiate(PROFILE_ALL, &c, &out));
        size_t length = controls_lacking(&c, PROFILE_ALL, text, sizeof(text));
        assert_string_equal(text, lackings[i].lacking);
        assert_int_equal(length, strlen(text));
    }
}

static void words_of_a_profile(void **state)
{
    (void)state;
    machine = *recorded("Bochs 2.7, broadwell_ult");
    struct vmx_capabilities c;
    struct controls out;

    assert_null(negotiate(PROFILE_MINIMAL, &c, &out));
    assert_int_equal(out.pin, 0x3E);
    assert_int_equal(out.proc, 0x96006172); /* no HLT, RDTSC, CR3 or CR8 exits */
    assert_int_equal(out.proc2, 0x10AA);    /* EPT, RDTSCP, VPID, unrestricted, INVPCID */
    assert_int_equal(out.exit, 0x3F6FFF);
    assert_int_equal(out.entry, 0xD1FF);
    assert_int_equal(out.exception_bitmap, BIT(VECTOR_DB) | BIT(VECTOR_AC));
    assert_true(out.cr0_mask == CR0_NE);
    assert_true(out.cr4_mask == CR4_HIDDEN);
    assert_true(out.cr4_allowed == 0x3707FF); /* of 0x3727FF */

    assert_null(negotiate(PROFILE_KVM, &c, &out));
    assert_int_equal(out.pin, 0x3F);
    assert_int_equal(out.proc, 0xB5186DF2);
    assert_int_equal(out.proc2, 0x10EA);
    assert_int_equal(out.exit, 0x3F6FFF);
    assert_true(out.cr0_mask == ~CR0_TS);
    assert_true((out.cr4_mask & (CR4_PGE | CR4_VMXE | CR4_SMEP)) == (CR4_VMXE | CR4_SMEP));

    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_int_equal(out.proc, 0xE599FFF2);
    assert_int_equal(out.proc2, 0x138EE | (u32)PROC2_ENABLE_VMFUNC);
    assert_int_equal(out.exception_bitmap, 0xFFFFFFFF);
    assert_true(out.cr0_mask == ~0ull && out.cr4_mask == ~0ull);
}

/* ---- Machines that nobody has ---- */

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
    assert_string_equal(refusal(),
                        "this CPU insists on: use TPR shadow (primary processor-based control 21)");

    construct();
    change(EXIT, 0, 1u << 28);
    assert_string_equal(refusal(), "this CPU insists on: load CET state (VM-exit control 28)");

    construct();
    change(PIN, 0, 1u << 30);
    assert_string_equal(refusal(), "this CPU insists on: a reserved bit (pin-based control 30)");
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
    *msr(IA32_VMX_PROCBASED_CTLS) |= PROC_ACTIVATE_TERTIARY << 32;
    *msr(IA32_VMX_TRUE_PROCBASED_CTLS) |= PROC_ACTIVATE_TERTIARY << 32;
    *msr(IA32_VMX_PROCBASED_CTLS3) = 0xFF;
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_true(out.proc & PROC_ACTIVATE_TERTIARY && out.proc3 == PROC3_ENABLE_MSRLIST);
    check_entry(&c, &out);
    assert_null(negotiate(PROFILE_KVM, &c, &out));
    assert_false(out.proc & PROC_ACTIVATE_TERTIARY);

    construct();
    change(PIN, (u32)PIN_NMI_EXITING, 0);
    vmx_capabilities_read(&c, read_recorded, machine.address_sizes);
    char small[8];
    assert_ptr_equal(controls_negotiate(&c, PROFILE_ALL, &out, small, sizeof(small)), small);
    assert_string_equal(small, "this CP");
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

static void described_in_full(void **state)
{
    (void)state;
    construct();
    struct vmx_capabilities c;
    struct controls out;
    assert_null(negotiate(PROFILE_ALL, &c, &out));
    fake_reset();
    controls_describe(&c, &out);
    assert_non_null(strstr(fake_output, "used      7  unrestricted guest\n"));
    assert_non_null(strstr(fake_output, "unused   21  use TPR shadow\n"));
    assert_non_null(strstr(fake_output, "lacking  26  enable user wait and pause\n"));
    assert_non_null(strstr(fake_output, "has      17  pages of 1 GiB\n"));
    for (const char *line = fake_output; *line; line = strchr(line, '\n') + 1)
        assert_memory_equal(line, "tally: caps: ", 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_machines_run_every_profile),
        cmocka_unit_test(recorded_machines_say_what_they_lack),
        cmocka_unit_test(words_of_a_profile),
        cmocka_unit_test(missing_controls_are_named),
        cmocka_unit_test(missing_msrs_are_not_read),
        cmocka_unit_test(forced_controls),
        cmocka_unit_test(ept_and_vpid_as_they_come),
        cmocka_unit_test(oddities),
        cmocka_unit_test(address_widths),
        cmocka_unit_test(described_in_full),
    };
    return cmocka_run_group_tests_name("VMX controls", tests, NULL, NULL);
}
