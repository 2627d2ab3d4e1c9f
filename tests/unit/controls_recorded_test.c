// Which controls Tally runs with, or why not, on machines that were recorded.
// link: tests/unit/controls_machine.c tests/unit/fake_vmcs*.c
#include "controls_machine.h"

#include <string.h>

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
    assert_true(out.cr0_mask == (CR0_PG | CR0_NE)); /* or controls.entry would go stale */
    assert_true(out.cr4_mask == 0xFF08E000);
    assert_true(out.cr4_allowed == 0x3707FF); /* of 0x3727FF */

    assert_null(negotiate(PROFILE_KVM, &c, &out));
    assert_int_equal(out.pin, 0x3F);
    assert_int_equal(out.proc, 0xB6006DF2);
    assert_int_equal(out.proc2, 0x10EA);
    assert_int_equal(out.exit, 0x3F6FFF);
    assert_true(out.cr0_mask == ~CR0_TS);
    assert_true((out.cr4_mask & (CR4_PGE | CR4_VMXE | CR4_SMEP)) == (CR4_VMXE | CR4_SMEP));

    assert_null(negotiate(PROFILE_ALL, &c, &out));
    assert_int_equal(out.proc, 0xE699FFF2);
    assert_int_equal(out.xss_exiting, 0); /* without XSAVES */
    assert_int_equal(out.proc2, 0x138EE | (u32)PROC2_ENABLE_VMFUNC);
    assert_int_equal(out.exception_bitmap, 0xFFFFFFFF);
    assert_true(out.cr0_mask == ~0ull && out.cr4_mask == ~0ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_machines_run_every_profile),
        cmocka_unit_test(recorded_machines_say_what_they_lack),
        cmocka_unit_test(words_of_a_profile),
    };
    return cmocka_run_group_tests_name("VMX controls: recorded machines", tests, NULL, NULL);
}
