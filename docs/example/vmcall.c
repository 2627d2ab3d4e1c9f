/* Reason 18: a guest's kernel may ask for the version of the statistics leaves. */
#include "emulate/handlers.h"

#define VMCALL_VERSION 1
#define VMCALL_UNKNOWN 0xFFFFFFFFu

enum exit_action exit_vmcall(struct vcpu *vcpu)
{
    if (guest_cpl() != 0)
        return inject_ud(vcpu);
    bool known = (u32)vcpu->gpr[RAX] == VMCALL_VERSION;
    vcpu->gpr[RAX] = known ? TALLY_ABI_VERSION : VMCALL_UNKNOWN;
    return EXIT_ADVANCE;
}
