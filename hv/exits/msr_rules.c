/* What each MSR means for the guest: the functions that carry an access out, and their table. */
#include "exits/msr.h"
#include "cpu/safe.h"
#include "exits/cpuid.h"
#include "exits/exits.h"
#include "vmx/bitmaps.h"
#include "vmx/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

static bool read_hardware(u32 msr, u64 *value)
{
    return rdmsr_safe(msr, value);
}

static bool write_hardware(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    return wrmsr_safe(msr, value);
}

static bool read_fault(u32 msr, u64 *value)
{
    (void)msr, (void)value;
    return false;
}

static bool write_fault(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr, (void)value;
    return false;
}

/* A microcode update would read its data from Tally's address space; the guest keeps what it has,
 * as under other hypervisors. */
static bool write_ignored(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr, (void)value;
    return true;
}

/* Locked with VMX and SMX off: what software on a CPU without them expects to find. */
static bool read_feature_control(u32 msr, u64 *value)
{
    (void)msr;
    *value = FEATURE_CONTROL_LOCK;
    return true;
}

static enum vmcs_field field_of(u32 msr)
{
    switch (msr) {
    case IA32_FS_BASE: return GUEST_FS_BASE;
    case IA32_GS_BASE: return GUEST_GS_BASE;
    case IA32_SYSENTER_CS: return GUEST_IA32_SYSENTER_CS;
    case IA32_SYSENTER_ESP: return GUEST_IA32_SYSENTER_ESP;
    case IA32_SYSENTER_EIP: return GUEST_IA32_SYSENTER_EIP;
    case IA32_PAT: return GUEST_IA32_PAT;
    case IA32_DEBUGCTL: return GUEST_IA32_DEBUGCTL;
    default: return GUEST_IA32_EFER;
    }
}

static bool read_vmcs(u32 msr, u64 *value)
{
    *value = vmread(field_of(msr));
    return true;
}

/* Where the CPU may lack the MSR although the VMCS has the field. */
static bool read_if_there(u32 msr, u64 *value)
{
    return rdmsr_safe(msr, value) && read_vmcs(msr, value);
}

static bool write_vmcs_32(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    vmwrite(field_of(msr), (u32)value);
    return true;
}

/*
 * The guest's value lives in the VMCS while Tally's own is in the register: hardware judges the new
 * value by taking it for a moment. Nothing in Tally depends on any of these until the next exit.
 */
static bool write_judged(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    u64 own;
    if (!rdmsr_safe(msr, &own) || !wrmsr_safe(msr, value))
        return false;
    value = rdmsr(msr);
    wrmsr(msr, own);
    vmwrite(field_of(msr), value);
    return true;
}

/* LME cannot change with paging on, LMA not at all. SDM vol. 3, 'Extended Feature Enable Register'.
 */
static bool write_efer(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr;
    u64 known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE; /* Tally runs with all of them */
    u64 old = vmread(GUEST_IA32_EFER);
    if (value & ~known)
        return false;
    if (((value ^ old) & EFER_LME) && (vmread(GUEST_CR0) & CR0_PG))
        return false;
    vmwrite(GUEST_IA32_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
    return true;
}

/* Features come or go with it: CPUID's answers are asked for anew. */
static bool write_features(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!wrmsr_safe(msr, value))
        return false;
    cpuid_forget(&vcpu->cpuid_cache);
    return true;
}

/* The page stays where Tally's page tables and EPT expect it; hardware judges the mode. */
static bool write_apic_base(struct vcpu *vcpu, u32 msr, u64 value)
{
    u64 flags = APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE;
    if ((value ^ rdmsr(msr)) & ~flags)
        return false;
    return write_features(vcpu, msr, value); /* CPUID.1:EDX[9] follows the enable bit */
}

/* The stamp of this exit moves along, or its cycles would be nonsense. */
static bool write_tsc(struct vcpu *vcpu, u32 msr, u64 value)
{
    u64 before = rdtsc();
    if (!wrmsr_safe(msr, value))
        return false;
    vcpu->exit_tsc += rdtsc() - before;
    return true;
}

/* Under EPT its entries decide about memory types, the register itself does nothing. */
static bool write_mtrr(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!wrmsr_safe(msr, value))
        return false;
    guest_memory_retype(vcpu);
    return true;
}

#define MISC_ENABLE_MONITOR BIT(18)

/* MONITOR is hidden, in CPUID too. */
static bool read_misc_enable(u32 msr, u64 *value)
{
    if (!rdmsr_safe(msr, value))
        return false;
    *value &= ~MISC_ENABLE_MONITOR;
    return true;
}

/* MSRs of hypervisors underneath; some name memory that these would write to. */
#define HYPER_V_FIRST 0x40000000
#define HYPER_V_LAST 0x400001FF
#define KVM_FIRST 0x4B564D00
#define KVM_LAST 0x4B564DFF
#define KVM_OLD_WALL_CLOCK 0x11
#define KVM_OLD_SYSTEM_TIME 0x12
#define IA32_PEBS_ENABLE 0x3F1

/* clang-format off */
/* In ascending order. */
static const struct msr_rule rules[] = {
    {IA32_TSC, IA32_TSC, read_hardware, write_tsc, IF_INTERCEPTED},
    {KVM_OLD_WALL_CLOCK, KVM_OLD_SYSTEM_TIME, read_fault, write_fault, ALWAYS},
    {IA32_APIC_BASE, IA32_APIC_BASE, read_hardware, write_apic_base, ALWAYS_WRITE},
    {IA32_FEATURE_CONTROL, IA32_FEATURE_CONTROL, read_feature_control, write_fault, ALWAYS},
    {IA32_TSC_ADJUST, IA32_TSC_ADJUST, read_hardware, write_tsc, IF_INTERCEPTED},
    {IA32_BIOS_UPDT_TRIG, IA32_BIOS_UPDT_TRIG, read_fault, write_ignored, ALWAYS},
    {IA32_SGXLEPUBKEYHASH0, IA32_SGXLEPUBKEYHASH3, read_fault, write_fault, ALWAYS},
    {IA32_SMM_MONITOR_CTL, IA32_SMM_MONITOR_CTL, read_fault, write_fault, ALWAYS},
    {IA32_SMBASE, IA32_SMBASE, read_fault, write_fault, ALWAYS},
    {TSX_FORCE_ABORT, TSX_FORCE_ABORT, read_hardware, write_features, ALWAYS_WRITE},
    {IA32_TSX_CTRL, IA32_TSX_CTRL, read_hardware, write_features, ALWAYS_WRITE},
    {IA32_SYSENTER_CS, IA32_SYSENTER_CS, read_vmcs, write_vmcs_32, IF_INTERCEPTED},
    {IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, read_vmcs, write_judged, IF_INTERCEPTED},
    {IA32_MISC_ENABLE, IA32_MISC_ENABLE, read_misc_enable, write_features, ALWAYS},
    {IA32_DEBUGCTL, IA32_DEBUGCTL, read_if_there, write_judged, IF_INTERCEPTED},
    {IA32_SMRR_PHYSBASE, IA32_SMRR_PHYSMASK, read_hardware, write_fault, ALWAYS_WRITE},
    {IA32_MTRR_PHYSBASE0, IA32_MTRR_LAST_PHYSMASK, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_PAT, IA32_PAT, read_vmcs, write_judged, IF_INTERCEPTED},
    {IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, read_hardware, write_mtrr, ALWAYS_WRITE},
    {IA32_PEBS_ENABLE, IA32_PEBS_ENABLE, read_fault, write_fault, ALWAYS}, /* writes by linear ... */
    {IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2, read_fault, write_fault, ALWAYS},
    {IA32_RTIT_OUTPUT_BASE, IA32_RTIT_LAST, read_fault, write_fault, ALWAYS},
    {IA32_DS_AREA, IA32_DS_AREA, read_fault, write_fault, ALWAYS}, /* ... address, Tally's too */
    {IA32_DEBUG_INTERFACE, IA32_DEBUG_INTERFACE, read_hardware, write_fault, ALWAYS_WRITE},
    {HYPER_V_FIRST, HYPER_V_LAST, read_fault, write_fault, ALWAYS},
    {KVM_FIRST, KVM_LAST, read_fault, write_fault, ALWAYS},
    {IA32_EFER, IA32_EFER, read_vmcs, write_efer, IF_INTERCEPTED},
    {IA32_FS_BASE, IA32_GS_BASE, read_vmcs, write_judged, IF_INTERCEPTED},
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
