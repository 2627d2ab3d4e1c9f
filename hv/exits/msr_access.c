/* How accesses to MSRs are carried out that are not simply the hardware's. */
#include "exits/msr_access.h"
#include "lib/safe.h"
#include "exits/cpuid.h"
#include "emulate/handlers.h"
#include "vmx/entry_checks.h"
#include "memory/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

bool read_hardware(u32 msr, u64 *value)
{
    return rdmsr_safe(msr, value);
}

bool write_hardware(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    return wrmsr_safe(msr, value);
}

bool read_fault(u32 msr, u64 *value)
{
    (void)msr, (void)value;
    return false;
}

bool write_fault(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr, (void)value;
    return false;
}

/* A microcode update would read its data from Tally's address space; the guest keeps what it has,
 * as under other hypervisors. */
bool write_ignored(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr, (void)value;
    return true;
}

/* Locked with VMX and SMX off: what software on a CPU without them expects to find. */
bool read_feature_control(u32 msr, u64 *value)
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

bool read_vmcs(u32 msr, u64 *value)
{
    *value = vmread(field_of(msr));
    return true;
}

/* Where the CPU may lack the MSR although the VMCS has the field. */
bool read_if_there(u32 msr, u64 *value)
{
    return rdmsr_safe(msr, value) && read_vmcs(msr, value);
}

bool write_vmcs_32(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    vmwrite(field_of(msr), (u32)value);
    return true;
}

/*
 * The guest's value lives in the VMCS while Tally's own is in the register, which must keep it: an
 * NMI that comes to Tally finds its vCPU by IA32_GS_BASE.
 */
bool write_canonical(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    const struct entry_check k = {.cpu = &vmx_capabilities};
    if (!canonical(&k, value))
        return false;
    vmwrite(field_of(msr), value);
    return true;
}

bool write_pat(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu, (void)msr;
    if (!legal_pat(value))
        return false;
    vmwrite(GUEST_IA32_PAT, value);
    return true;
}

/*
 * Which bits there are hardware knows: it judges the value by taking it for a moment. Those of the
 * debug store it must not take, for a branch in Tally would be stored, to an address of the
 * guest's.
 */
bool write_debugctl(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    u64 own;
    if ((value & DEBUGCTL_TRACES) || !rdmsr_safe(msr, &own) || !wrmsr_safe(msr, value))
        return false;
    value = rdmsr(msr);
    wrmsr(msr, own);
    vmwrite(GUEST_IA32_DEBUGCTL, value);
    return true;
}

/* LME cannot change with paging on, LMA not at all. SDM vol. 3, 'Extended Feature Enable Register'.
 */
bool write_efer(struct vcpu *vcpu, u32 msr, u64 value)
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
bool write_features(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!wrmsr_safe(msr, value))
        return false;
    cpuid_forget(&vcpu->cpuid_cache);
    return true;
}

/* The page stays where Tally's page tables and EPT expect it; hardware judges the mode. */
bool write_apic_base(struct vcpu *vcpu, u32 msr, u64 value)
{
    u64 flags = APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE;
    if ((value ^ rdmsr(msr)) & ~flags)
        return false;
    return write_features(vcpu, msr, value); /* CPUID.1:EDX[9] follows the enable bit */
}

/* The stamp of this exit moves along, or its cycles would be nonsense. */
bool write_tsc(struct vcpu *vcpu, u32 msr, u64 value)
{
    u64 before = rdtsc();
    if (!wrmsr_safe(msr, value))
        return false;
    vcpu->exit_tsc += rdtsc() - before;
    return true;
}

/* Under EPT its entries decide about memory types, the register itself does nothing. */
bool write_mtrr(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!wrmsr_safe(msr, value))
        return false;
    guest_memory_retype(vcpu);
    return true;
}

#define MISC_ENABLE_MONITOR BIT(18)
#define MISC_ENABLE_XD_DISABLE BIT(34)

/* MONITOR is hidden, in CPUID too. */
bool read_misc_enable(u32 msr, u64 *value)
{
    if (!rdmsr_safe(msr, value))
        return false;
    *value &= ~MISC_ENABLE_MONITOR;
    return true;
}

/* Without execute-disable Tally's own page tables and EFER would have reserved bits set. */
bool write_misc_enable(struct vcpu *vcpu, u32 msr, u64 value)
{
    return !(value & MISC_ENABLE_XD_DISABLE) && write_features(vcpu, msr, value);
}

#define TEST_CTRL_SPLIT_LOCK BIT(29) /* #AC; Tally has none */

/* Another bit makes locked accesses to uncacheable memory fault, in Tally too, whose memory the
 * guest can make so by an MTRR. */
bool write_test_ctrl(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    u64 old;
    return rdmsr_safe(msr, &old) && !((value ^ old) & ~TEST_CTRL_SPLIT_LOCK) &&
           wrmsr_safe(msr, value);
}

/* XRSTORS loads MSRs without an exit: those of processor trace write to physical memory. */
bool write_xss(struct vcpu *vcpu, u32 msr, u64 value)
{
    (void)vcpu;
    return !(value & XSS_HIDDEN) && wrmsr_safe(msr, value);
}
