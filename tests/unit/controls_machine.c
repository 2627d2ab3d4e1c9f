#include "controls_machine.h"

#include <string.h>

#include "names.h"
#include "features.h"
#include "entry_checks.h"
#include "x86/msr.h"

struct recorded_machine machine;

const struct recorded_machine *recorded(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(recorded_machines); i++)
        if (!strcmp(recorded_machines[i].name, name))
            return &recorded_machines[i];
    fail_msg("no machine '%s'", name);
    return NULL;
}

u64 *msr(u32 number)
{
    return &machine.msr[number - RECORDED_FIRST];
}

u64 read_recorded(u32 number)
{
    unsigned index = number - RECORDED_FIRST;
    assert_true(index < RECORDED_MSRS);
    if (machine.missing >> index & 1)
        fail_msg("%s: RDMSR of %#x raises #GP", machine.name, number);
    return machine.msr[index];
}

const char *negotiate(enum tally_profile profile, struct vmx_capabilities *c, struct controls *out)
{
    features_init();
    vmx_capabilities_read(c, read_recorded, machine.address_sizes);
    return controls_negotiate(c, profile, out);
}

static void report_rule(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("%s: %s (%s = %#llx)", machine.name, sentence, vmcs_field_name(field),
             (unsigned long long)value);
}

void check_entry(const struct vmx_capabilities *c, const struct controls *out)
{
    fake_reset();
    controls_write(out);
    if (!(out->proc2 & PROC2_ENABLE_VPID))
        fake_set(VIRTUAL_PROCESSOR_ID, 0);
    fake_set(VM_ENTRY_CONTROLS, out->entry | ENTRY_IA32E_MODE_GUEST);
    assert_int_equal(entry_checks(c, report_rule), 0);
}
