/* XSETBV (exit 55): hardware judges which components go together. */
#include "emulate/handlers.h"
#include "features.h"
#include "lib/safe.h"

enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
    u32 index = (u32)vcpu_gpr(vcpu, RCX);
    u64 value = vcpu_gpr(vcpu, RDX) << 32 | (u32)vcpu_gpr(vcpu, RAX);

    if (!(guest_visible_cr4(vcpu) & CR4_OSXSAVE))
        return inject_ud(vcpu);
    /* Some CPUs leave the privilege check to the hypervisor. */
    if (guest_cpl() != 0 || (value & ~features_bits(FEATURES_XCR0)) || !xsetbv_safe(index, value))
        return inject_gp(vcpu, 0);
    return EXIT_ADVANCE;
}
