/* A machine whose VMX capabilities were recorded, and maybe changed. */
#ifndef TALLY_TESTS_CONTROLS_MACHINE_H
#define TALLY_TESTS_CONTROLS_MACHINE_H

#include "fake_vmcs.h"
#include "recorded_caps.h"
#include "vmx/controls.h"

extern struct recorded_machine machine;

const struct recorded_machine *recorded(const char *name);
u64 *msr(u32 number);
/* RDMSR as the machine does it: one that it lacks fails the test. */
u64 read_recorded(u32 number);

/* The controls for the machine; what stands against it, or NULL. */
const char *negotiate(enum tally_profile profile, struct vmx_capabilities *c, struct controls *out);
/* Whatever was negotiated makes, with a legal guest, a VMCS that the CPU enters. */
void check_entry(const struct vmx_capabilities *c, const struct controls *out);

#endif
