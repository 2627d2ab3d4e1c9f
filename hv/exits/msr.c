/* Reasons 31, 32: the MSR in ECX, its value in EDX:EAX. */
#include "exits/cpuid_msr.h"
#include "emulate/handlers.h"
#include "features.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/safe.h"
#include "vmx/controls.h"
#include "x86/msr.h"

enum exit_action exit_rdmsr(struct vcpu *vcpu)
{
    u64 value;
    if (!msr_read(vcpu, (u32)vcpu->gpr[RCX], &value))
        return inject_gp(vcpu);
    vcpu->gpr[RAX] = (u32)value;
    vcpu->gpr[RDX] = value >> 32;
    return EXIT_ADVANCE;
}

enum exit_action exit_wrmsr(struct vcpu *vcpu)
{
    u64 value = (u32)vcpu->gpr[RAX] | vcpu->gpr[RDX] << 32;
    return msr_write(vcpu, (u32)vcpu->gpr[RCX], value) ? EXIT_ADVANCE : inject_gp(vcpu);
}

static enum msr_policy policy;

/* Whether no line has told of this MSR yet; after so many others there is no more room. */
static bool is_news(u32 msr)
{
    static u32 told[32], count;
    for (u32 i = 0; i < ARRAY_SIZE(told); i++)
        if (told[i] == msr)
            return false;
    u32 next = atomic_add(&count, 1);
    if (next >= ARRAY_SIZE(told)) {
        count = ARRAY_SIZE(told);
        return false;
    }
    told[next] = msr;
    return true;
}

RARELY bool write_unlisted(const struct vcpu *vcpu, u32 msr, u64 value, bool dangerous)
{
    static const char *const ends[] = {"swallowed", "#GP", "let through"};
    enum msr_policy what = dangerous && policy == MSR_OPEN ? MSR_DROP : policy;
    u64 now;
    if (!rdmsr_safe(msr, &now)) /* the machine has no such MSR */
        return false;
    if (is_news(msr))
        say("the guest's CPU %u wrote %lx to MSR %x, not known to be harmless: %s (option msr=)",
            vcpu->index, value, msr, ends[what]);
    return what == MSR_OPEN ? wrmsr_safe(msr, value) : what == MSR_DROP;
}

/* What profile `kvm` passes through, as KVM does. */
static bool kvm_passes(u32 msr)
{
    return msr - IA32_SPEC_CTRL < 2 || /* with IA32_PRED_CMD */
           (msr >= IA32_SYSENTER_CS && msr <= IA32_SYSENTER_EIP) ||
           (msr >= IA32_STAR && msr <= IA32_FMASK) ||
           (msr >= IA32_FS_BASE && msr <= IA32_KERNEL_GS_BASE);
}

static RARELY void intercept_range(enum tally_profile profile, u32 first)
{
    for (u32 msr = first; msr < first + MSR_RANGE; msr++) {
        bool seen = profile == PROFILE_KVM && !kvm_passes(msr);
        bool read = seen || msr_kind(msr).read >= READ_FAULT;
        bool write = seen || msr_kind(msr).write < WRITE_HARDWARE;
        intercept_msr(msr, (read ? MSR_READ : 0) | (write ? MSR_WRITE : 0));
    }
}

RARELY void msr_init(enum tally_profile profile, enum msr_policy unknown)
{
    policy = unknown;
    if (profile == PROFILE_ALL)
        return; /* no bitmap: every MSR exits */
    intercept_range(profile, 0);
    intercept_range(profile, MSR_HIGH);
}
