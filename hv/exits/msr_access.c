/* Access to MSRs, by their kinds in features.h. */
#include "emulate/handlers.h"
#include "exits/cpuid_msr.h"
#include "features.h"
#include "lib/safe.h"
#include "memory/memory.h"
#include "vmx/controls.h"
#include "vmx/capabilities.h"
#include "x86/msr.h"

#define CORE_CAPABILITIES_SHOWN (BIT(0) | BIT(3) | BIT(5)) /* no remote action requests */
/* Of IA32_MISC_ENABLE: what CPUID hides shows here, too; what the guest only seems to set. */
#define MISC_ENABLE_UNAVAILABLE (MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE)
#define MISC_ENABLE_SOFT (MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XD_DISABLE)
#define TEST_CTRL_SPLIT_LOCK BIT(29) /* #AC; Tally has none */

static enum vmcs_field field_of(u32 msr)
{
    switch (msr) {
    case IA32_FS_BASE: return GUEST_FS_BASE;
    case IA32_GS_BASE: return GUEST_GS_BASE;
    case IA32_SYSENTER_CS: return GUEST_IA32_SYSENTER_CS;
    case IA32_SYSENTER_ESP: return GUEST_IA32_SYSENTER_ESP;
    case IA32_SYSENTER_EIP: return GUEST_IA32_SYSENTER_EIP;
    case IA32_PAT: return GUEST_IA32_PAT;
    default: return GUEST_IA32_EFER;
    }
}

static bool read_mtrr(struct vcpu *vcpu, u32 msr, u64 *value)
{
    const u64 *mtrr = mtrr_register(&vcpu->mtrr, msr);
    if (mtrr)
        *value = *mtrr;
    return mtrr;
}

bool msr_read(struct vcpu *vcpu, u32 msr, u64 *value)
{
    enum msr_read_kind kind = msr_kind(msr).read;
    if (likely(kind == READ_HARDWARE))
        return rdmsr_safe(msr, value);
    switch (kind) {
    case READ_FAULT: return false;
    case READ_MTRR: return read_mtrr(vcpu, msr, value);
    case READ_VMCS: *value = vmread(field_of(msr)); return true;
    case READ_FEATURE_CONTROL: /* as on a CPU without VMX and SMX */
        *value = FEATURE_CONTROL_LOCK;
        return true;
    default: break;
    }
    if (!rdmsr_safe(msr, value)) /* the CPU may lack it */
        return false;
    switch (kind) {
    case READ_DEBUGCTL: *value = vmread(GUEST_IA32_DEBUGCTL); break;
    case READ_CORE_CAPABILITIES: *value &= CORE_CAPABILITIES_SHOWN; break;
    default: *value &= ~MISC_ENABLE_MONITOR; *value |= MISC_ENABLE_UNAVAILABLE | vcpu->misc_enable;
    }
    return true;
}

static bool write_field(enum vmcs_field field, u64 value, bool legal)
{
    if (legal)
        vmwrite(field, value);
    return legal;
}

/*
 * The guest's value lives in the VMCS while Tally's own is in the register, which must keep it: an
 * NMI that comes to Tally finds its vCPU by IA32_GS_BASE.
 */
static bool is_address(u64 value)
{
    return is_canonical(value, vmx_capabilities.linear_bits);
}

/*
 * Which bits there are hardware knows: it judges the value by taking it for a moment. Those of the
 * debug store it must not take, for a branch in Tally would be stored, to an address of the
 * guest's.
 */
static bool write_debugctl(u64 value)
{
    u64 own;
    if ((value & DEBUGCTL_TRACES) || !rdmsr_safe(IA32_DEBUGCTL, &own) ||
        !wrmsr_safe(IA32_DEBUGCTL, value))
        return false;
    value = rdmsr(IA32_DEBUGCTL);
    wrmsr(IA32_DEBUGCTL, own);
    vmwrite(GUEST_IA32_DEBUGCTL, value);
    return true;
}

/* LME cannot change with paging on, LMA never. SDM vol. 3, 'Extended Feature Enable Register'. */
static bool write_efer(const struct vcpu *vcpu, u64 value)
{
    u64 known = EFER_SCE | EFER_LME | EFER_LMA; /* Tally runs with all of them, and with NXE */
    known |= vcpu->misc_enable & MISC_ENABLE_XD_DISABLE ? 0 : EFER_NXE;
    u64 old = vmread(GUEST_IA32_EFER);
    bool legal = !(value & ~known) && !(((value ^ old) & EFER_LME) && (vmread(GUEST_CR0) & CR0_PG));
    return write_field(GUEST_IA32_EFER, (value & ~EFER_LMA) | (old & EFER_LMA), legal);
}

/* Features come or go with it: CPUID's answers are asked for anew. */
static bool write_features(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!wrmsr_safe(msr, value))
        return false;
    cpuid_forget(&vcpu->cpuid_cache);
    return true;
}

/* The page stays where Tally's page tables and EPT expect it; hardware judges the mode, and
 * CPUID.1:EDX[9] follows the enable bit. */
static bool write_apic_base(struct vcpu *vcpu, u64 value)
{
    u64 flags = APIC_BASE_BSP | APIC_BASE_X2APIC | APIC_BASE_ENABLE;
    return !((value ^ rdmsr(IA32_APIC_BASE)) & ~flags) &&
           write_features(vcpu, IA32_APIC_BASE, value);
}

/* What Tally has noted of this CPU's TSC moves along; the time line and the report go by the clock
 * that it would be without the guest's writes. */
static bool write_tsc(struct vcpu *vcpu, u32 msr, u64 value)
{
    u64 before = rdtsc();
    if (!wrmsr_safe(msr, value))
        return false;
    u64 moved = rdtsc() - before;
    vcpu->exit_tsc += moved;
    vcpu->tsc_moved += moved;
    return true;
}

static bool write_mtrr(struct vcpu *vcpu, u32 msr, u64 value)
{
    if (!mtrr_write(&vcpu->mtrr, msr, value))
        return false;
    guest_memory_retype(vcpu);
    return true;
}

/* Hardware keeps execute-disable and all leaves of CPUID, for Tally. */
static bool write_misc_enable(struct vcpu *vcpu, u64 value)
{
    u64 kept = MISC_ENABLE_MONITOR | MISC_ENABLE_UNAVAILABLE, own;
    if (!rdmsr_safe(IA32_MISC_ENABLE, &own) ||
        !write_features(vcpu, IA32_MISC_ENABLE,
                        (value & ~(kept | MISC_ENABLE_SOFT)) | (own & kept)))
        return false;
    vcpu->misc_enable = value & MISC_ENABLE_SOFT;
    if (value & MISC_ENABLE_XD_DISABLE)
        intercept_msr(IA32_EFER, MSR_WRITE); /* NXE is #GP from now on */
    return true;
}

/* Another bit makes locked accesses to uncacheable memory fault, in Tally too, where the guest
 * can switch caches off. */
static bool write_test_ctrl(u64 value)
{
    u64 old;
    return rdmsr_safe(MSR_TEST_CTRL, &old) && !((value ^ old) & ~TEST_CTRL_SPLIT_LOCK) &&
           wrmsr_safe(MSR_TEST_CTRL, value);
}

static RARELY bool write_rarely(struct vcpu *vcpu, u32 msr, u64 value, enum msr_write_kind kind)
{
    switch (kind) {
    case WRITE_FAULT: return false;
    case WRITE_UNKNOWN: return write_unlisted(vcpu, msr, value, false);
    case WRITE_DANGEROUS: return write_unlisted(vcpu, msr, value, true);
    /* A microcode update would read its data from Tally's address space; the guest keeps what it
     * has, as under other hypervisors. */
    case WRITE_IGNORED: return true;
    case WRITE_FEATURES: return write_features(vcpu, msr, value);
    case WRITE_APIC_BASE: return write_apic_base(vcpu, value);
    case WRITE_MTRR: return write_mtrr(vcpu, msr, value);
    case WRITE_MISC_ENABLE: return write_misc_enable(vcpu, value);
    case WRITE_TEST_CTRL: return write_test_ctrl(value);
    /* XRSTORS loads MSRs without an exit: those of processor trace write to physical memory. */
    case WRITE_XSS: return !(value & ~features_bits(FEATURES_XSS)) && wrmsr_safe(msr, value);
    case WRITE_PAT: return write_field(GUEST_IA32_PAT, value, is_legal_pat(value));
    case WRITE_DEBUGCTL: return write_debugctl(value);
    default: return write_efer(vcpu, value);
    }
}

bool msr_write(struct vcpu *vcpu, u32 msr, u64 value)
{
    enum msr_write_kind kind = msr_kind(msr).write;
    switch (kind) {
    case WRITE_HARDWARE: return wrmsr_safe(msr, value);
    case WRITE_TSC: return write_tsc(vcpu, msr, value);
    case WRITE_VMCS_32: value = (u32)value; /* fall through - an address in any case */
    case WRITE_CANONICAL: return write_field(field_of(msr), value, is_address(value));
    default: return write_rarely(vcpu, msr, value, kind);
    }
}
