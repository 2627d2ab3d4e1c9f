/* What each MSR means for the guest: the table. */
#include "exits/msr_access.h"
#include "exits/msr.h"
#include "vmx/bitmaps.h"
#include "x86/msr.h"

/* MSRs of hypervisors underneath; some name memory that these would write to. Hyper-V's are the
 * first, Xen's come behind them. */
#define HYPERVISORS_FIRST 0x40000000
#define HYPERVISORS_LAST 0x4000FFFF
#define KVM_FIRST 0x4B564D00
#define KVM_LAST 0x4B564DFF
#define KVM_OLD_WALL_CLOCK 0x11
#define KVM_OLD_SYSTEM_TIME 0x12

/* clang-format off */
/* In ascending order. */
static const struct msr_rule rules[] = {
    {IA32_TSC, IA32_TSC, read_hardware, write_tsc, IF_INTERCEPTED},
    {KVM_OLD_WALL_CLOCK, KVM_OLD_SYSTEM_TIME, read_fault, write_fault, ALWAYS},
    {IA32_APIC_BASE, IA32_APIC_BASE, read_hardware, write_apic_base, ALWAYS_WRITE},
    {MSR_TEST_CTRL, MSR_TEST_CTRL, read_hardware, write_test_ctrl, ALWAYS_WRITE},
    {IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL, read_feature_control, write_fault, ALWAYS},
    {IA32_TSC_ADJUST, IA32_TSC_ADJUST, read_hardware, write_tsc, IF_INTERCEPTED},
    {IA32_BIOS_UPDT_TRIG, IA32_BIOS_UPDT_TRIG, read_fault, write_ignored, ALWAYS},
    {IA32_SGXLEPUBKEYHASH0, IA32_SGXLEPUBKEYHASH3, read_fault, write_fault, ALWAYS},
    {IA32_SMM_MONITOR_CTL, IA32_SMM_MONITOR_CTL, read_fault, write_fault, ALWAYS},
    {IA32_SMBASE, IA32_SMBASE, read_fault, write_fault, ALWAYS},
    {TSX_FORCE_ABORT, TSX_FORCE_ABORT, read_hardware, write_features, ALWAYS_WRITE},
    {IA32_TSX_CTRL, IA32_TSX_CTRL, read_hardware, write_features, ALWAYS_WRITE},
    {IA32_SYSENTER_CS, IA32_SYSENTER_CS, read_vmcs, write_vmcs_32, IF_INTERCEPTED},
    {IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, read_vmcs, write_canonical, IF_INTERCEPTED},
    {IA32_MISC_ENABLE, IA32_MISC_ENABLE, read_misc_enable, write_misc_enable, ALWAYS},
    {IA32_DEBUGCTL, IA32_DEBUGCTL, read_if_there, write_debugctl, IF_INTERCEPTED},
    {IA32_SMRR_PHYSBASE, SMRR2_PHYSMASK, read_hardware, write_fault, ALWAYS_WRITE}, /* takes memory */
    {IA32_MTRR_PHYSBASE0, IA32_MTRR_LAST_PHYSMASK, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_PAT, IA32_PAT, read_vmcs, write_pat, IF_INTERCEPTED},
    {COPY_SBFT_HASHES, SCAN_STATUS, read_fault, write_fault, ALWAYS}, /* reads by linear address */
    {IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_PEBS_ENABLE, IA32_PEBS_ENABLE, read_fault, write_fault, ALWAYS}, /* writes by linear ... */
    {IA32_PEBS_BASE, IA32_PEBS_INDEX, read_fault, write_fault, ALWAYS},
    {IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2, read_fault, write_fault, ALWAYS},
    {IA32_RTIT_OUTPUT_BASE, IA32_RTIT_LAST, read_fault, write_fault, ALWAYS},
    {IA32_DS_AREA, IA32_DS_AREA, read_fault, write_fault, ALWAYS}, /* ... address, Tally's too */
    {IA32_TME_CAPABILITY, IA32_TME_EXCLUDE_BASE, read_fault, write_fault, ALWAYS},
    {IA32_DEBUG_INTERFACE, IA32_DEBUG_INTERFACE, read_hardware, write_fault, ALWAYS_WRITE},
    {IA32_XSS, IA32_XSS, read_hardware, write_xss, ALWAYS_WRITE},
    {SEAMRR_PHYS_BASE, SEAMRR_PHYS_MASK, read_hardware, write_fault, ALWAYS_WRITE}, /* takes memory */
    {IA32_LBR_CTL, IA32_LBR_DEPTH, read_fault, write_fault, ALWAYS}, /* goes on in Tally */
    {IA32_HW_FEEDBACK_PTR, HW_FEEDBACK_LAST, read_fault, write_fault, ALWAYS}, /* writes to memory */
    {HYPERVISORS_FIRST, HYPERVISORS_LAST, read_fault, write_fault, ALWAYS},
    {KVM_FIRST, KVM_LAST, read_fault, write_fault, ALWAYS},
    {IA32_EFER, IA32_EFER, read_vmcs, write_efer, IF_INTERCEPTED},
    {IA32_FS_BASE, IA32_GS_BASE, read_vmcs, write_canonical, IF_INTERCEPTED},
};

/* What profile `kvm` passes through, as KVM does. */
static const struct { u32 first, last; } kvm_passes[] = {
    {IA32_SPEC_CTRL, IA32_SPEC_CTRL + 1}, /* with IA32_PRED_CMD */
    {IA32_SYSENTER_CS, IA32_SYSENTER_EIP},
    {IA32_STAR, IA32_FMASK},
    {IA32_FS_BASE, IA32_KERNEL_GS_BASE},
};
/* clang-format on */

void msr_intercept(enum tally_profile profile)
{
    if (profile == PROFILE_ALL)
        return; /* no bitmap: every MSR exits */
    if (profile == PROFILE_KVM)
        for (unsigned i = 0; i < ARRAY_SIZE(kvm_passes); i++)
            intercept_msrs(kvm_passes[i].first, kvm_passes[i].last, MSR_READ | MSR_WRITE, false);
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
        if (rules[i].when != IF_INTERCEPTED)
            intercept_msrs(rules[i].first, rules[i].last,
                           rules[i].when == ALWAYS ? MSR_READ | MSR_WRITE : MSR_WRITE, true);
}

const struct msr_rule *msr_rule_of(u32 msr)
{
    static const struct msr_rule hardware = {0, ~0u, read_hardware, write_hardware, IF_INTERCEPTED};
    unsigned low = 0, end = ARRAY_SIZE(rules);
    while (low < end) {
        unsigned middle = (low + end) / 2;
        if (msr > rules[middle].last)
            low = middle + 1;
        else
            end = middle;
    }
    bool found = low < ARRAY_SIZE(rules) && msr >= rules[low].first;
    return found ? &rules[low] : &hardware;
}
