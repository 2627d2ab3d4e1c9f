/* VMXON, and a VMCS filled with the host's state and the guest's first state. */
#ifndef TALLY_VMX_VMCS_H
#define TALLY_VMX_VMCS_H

#include "host/cpu.h"
#include "host/found_state.h"
#include "vmx/capabilities.h"
#include "vmx/controls.h"

/* NULL, or one line that says why this CPU cannot run VMX at all: no VMX, switched off by the
 * firmware. Unlocked IA32_FEATURE_CONTROL is set and locked. */
const char *vmx_check(void);

/* The same for another CPU, which has to be able to do what the boot CPU does, with its controls.
 */
const char *vmx_check_other(enum tally_profile profile, const struct controls *boot_cpus);

/* VMXON on this CPU and makes its VMCS current. */
void vmx_enable(struct cpu *cpu, const struct vmx_capabilities *capabilities);

/* VMXOFF. The VMCS keeps what is in it for the next vmx_enable(), after which VMLAUNCH enters. */
void vmx_disable(struct cpu *cpu);

/* Everything in the VMCS that does not depend on where the guest starts. */
void vmcs_init(struct cpu *cpu, u64 ept_pointer);

/* The boot CPU's first state: 32-bit protected mode with flat segments, or real mode; no paging. */
void vmcs_set_start_state(struct vcpu *vcpu, const struct guest_start *start);

/* The state after INIT, waiting for a SIPI. SDM vol. 3, 'Processor State After Reset'. */
void vmcs_set_init_state(struct vcpu *vcpu);

/* The state of a CPU under a firmware, or any other. */
void vmcs_set_state(struct vcpu *vcpu, const struct found_state *state,
                    enum activity_state activity);

/* ---- time_limit.c: end=SECONDS, a run that ends by itself, whatever the guest does ---- */

/*
 * The vCPU whose VMCS is loaded may be in the guest for so long, in HLT, too; what passes in Tally
 * does not count. 0: without limit. For one vCPU, before its first entry. Returns NULL, or why this
 * CPU cannot measure it; `tsc_khz` is 0 where it is unknown. SDM vol. 3, 'VMX-Preemption Timer'.
 */
const char *time_limit_set(struct vcpu *vcpu, u32 seconds, u32 tsc_khz);

/* The timer has run down. Whether that was the end of the time; else it runs again. */
bool time_limit_reached(void);

#endif
