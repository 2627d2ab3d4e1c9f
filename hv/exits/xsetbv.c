/* XSETBV (exit 55): checked here, and hardware is the final judge. */
#include "lib/safe.h"
#include "exits/exits.h"

/* SDM vol. 1, 'Enabling the XSAVE Feature Set and XSAVE-Enabled Features'. */
static bool all_or_none(u64 value, u64 bits)
{
    return (value & bits) == 0 || (value & bits) == bits;
}

static bool xcr0_consistent(u64 value)
{
    if (!(value & XCR0_X87) || (value & XCR0_APX)) /* APX is hidden */
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    if ((value & XCR0_AVX512) && !(value & XCR0_AVX))
        return false;
    return all_or_none(value, XCR0_BNDREGS | XCR0_BNDCSR) && all_or_none(value, XCR0_AVX512) &&
           all_or_none(value, XCR0_TILE);
}

enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
    u32 index = (u32)vcpu_gpr(vcpu, RCX);
    u64 value = vcpu_gpr(vcpu, RDX) << 32 | (u32)vcpu_gpr(vcpu, RAX);

    if (!(guest_visible_cr4(vcpu) & CR4_OSXSAVE))
        return inject_ud(vcpu);
    /* Some CPUs leave the privilege check to the hypervisor. */
    if (guest_cpl() != 0 || index != 0 || !xcr0_consistent(value) || !xsetbv_safe(index, value))
        return inject_gp(vcpu, 0);
    return EXIT_ADVANCE;
}
