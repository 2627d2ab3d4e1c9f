#include "vmx/invalidate.h"
#include "lib/print.h"
#include "vmx/capabilities.h"

struct invvpid_descriptor {
    u64 vpid, linear;
};

static void invvpid(enum invvpid_type type, u16 vpid, u64 linear)
{
    const struct invvpid_descriptor descriptor = {vpid, linear};
    __asm__ goto("invvpid %0, %1\n\tjna %l2"
                 :
                 : "m"(descriptor), "r"((u64)type)
                 : "cc", "memory"
                 : failed);
    return;
failed:
    fatal("INVVPID type %u, VPID %u, address %lx failed: a bug in Tally", type, vpid, linear);
}

static bool uses_vpid(const struct vcpu *vcpu)
{
    return vcpu->controls.proc2 & PROC2_ENABLE_VPID;
}

void flush_guest_tlb(struct vcpu *vcpu)
{
    if (uses_vpid(vcpu))
        invvpid(INVVPID_SINGLE_CONTEXT, vcpu->vpid, 0);
}

void flush_guest_non_global(struct vcpu *vcpu)
{
    bool retains = vmx_capabilities.ept_vpid & VPID_CAP_SINGLE_RETAIN_GLOBALS;
    if (uses_vpid(vcpu))
        invvpid(retains ? INVVPID_SINGLE_RETAIN_GLOBALS : INVVPID_SINGLE_CONTEXT, vcpu->vpid, 0);
}

void flush_guest_page(struct vcpu *vcpu, u64 linear)
{
    bool canonical = is_canonical(linear, 57); /* one that is not: error 28 */
    if (!uses_vpid(vcpu))
        return;
    if (is_canonical(linear, 48) && (vmx_capabilities.ept_vpid & VPID_CAP_INDIVIDUAL_ADDRESS))
        invvpid(INVVPID_INDIVIDUAL_ADDRESS, vcpu->vpid, linear);
    else if (canonical)
        flush_guest_tlb(vcpu);
}

void flush_ept(void)
{
    static const u64 all[2];
    __asm__ volatile("invept %0, %1" : : "m"(all), "r"((u64)INVEPT_ALL_CONTEXT) : "cc", "memory");
}
