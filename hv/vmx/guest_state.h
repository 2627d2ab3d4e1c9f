/* Questions about the guest's state that several handlers ask. */
#ifndef TALLY_VMX_GUEST_STATE_H
#define TALLY_VMX_GUEST_STATE_H

#include "vmx/access.h"
#include "vcpu.h"
#include "x86/registers.h"
#include "x86/vmx.h"

static inline bool guest_long_mode(void) /* IA-32e mode: 64-bit or compatibility */
{
    return vmread(GUEST_IA32_EFER) & EFER_LMA;
}

static inline bool guest_64bit_code(void)
{
    return guest_long_mode() && (vmread(GUEST_CS_ACCESS_RIGHTS) & AR_L);
}

static inline unsigned guest_cpl(void)
{
    return (vmread(GUEST_SS_ACCESS_RIGHTS) & AR_DPL) >> AR_DPL_SHIFT;
}

static inline bool guest_protected_mode(void) /* and not virtual-8086 */
{
    return (vmread(GUEST_CR0) & CR0_PE) && !(vmread(GUEST_RFLAGS) & RFLAGS_VM);
}

/* What the guest reads from CR0 and CR4: its own bits, and the shadow where Tally owns them. */
static inline u64 guest_visible_cr0(const struct vcpu *vcpu)
{
    u64 mask = vcpu->controls.cr0_mask;
    return (vmread(GUEST_CR0) & ~mask) | (vmread(CR0_READ_SHADOW) & mask);
}

static inline u64 guest_visible_cr4(const struct vcpu *vcpu)
{
    u64 mask = vcpu->controls.cr4_mask;
    return (vmread(GUEST_CR4) & ~mask) | (vmread(CR4_READ_SHADOW) & mask);
}

/* VMCS fields of a segment register. */
static inline enum vmcs_field segment_selector(enum segment s)
{
    return GUEST_ES_SELECTOR + 2 * s;
}

static inline enum vmcs_field segment_base(enum segment s)
{
    return GUEST_ES_BASE + 2 * s;
}

static inline enum vmcs_field segment_limit(enum segment s)
{
    return GUEST_ES_LIMIT + 2 * s;
}

static inline enum vmcs_field segment_access_rights(enum segment s)
{
    return GUEST_ES_ACCESS_RIGHTS + 2 * s;
}

#endif
