/* The VMCS in print, for the moments when something went wrong. */
#ifndef TALLY_EXITS_DUMP_H
#define TALLY_EXITS_DUMP_H

#include "vmx/access.h"
#include "vcpu.h"

/* Prints the vCPU's general registers and all fields of the current VMCS that the CPU has. */
void vmcs_dump(const struct vcpu *vcpu);

/* Say how a VM entry failed: by an exit, by VMfail. */
void tell_failed_exit(const struct vcpu *vcpu);
void tell_failed_instruction(void);

/* The name in x86/vmcs.h, or "?" for a field that is not there. */
const char *vmcs_field_name(u32 field);

/* SDM vol. 3, 'VM-Instruction Error Numbers'. */
const char *vm_instruction_error_name(u32 number);

#endif
