/* Stepping over an instruction: inline, as most exits do it. */
#ifndef TALLY_VMX_ADVANCE_H
#define TALLY_VMX_ADVANCE_H

#include "vmx/access.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* The rare parts: `rip` crossed 4 GiB, or RF or TF is set in `rflags`. */
u64 wrapped_rip(u64 rip);
void finish_flags(u64 rflags);

/* Steps over the instruction that was carried out: RIP, blocking by STI and MOV SS, RF, TF. Returns
 * the guest's RFLAGS as they were. */
static inline u64 advance_rip(void)
{
    u64 old = vmread(GUEST_RIP);
    u64 rip = old + vmread(VM_EXIT_INSTRUCTION_LENGTH);
    if (unlikely((old ^ rip) >> 32))
        rip = wrapped_rip(rip);
    vmwrite_unchecked(GUEST_RIP, rip);

    u64 shadow = BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
    u64 blocking = vmread(GUEST_INTERRUPTIBILITY);
    if (unlikely(blocking & shadow))
        vmwrite(GUEST_INTERRUPTIBILITY, blocking & ~shadow);

    u64 rflags = vmread(GUEST_RFLAGS);
    if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
        finish_flags(rflags);
    return rflags;
}

/* Between two iterations of an instruction that goes on at the next entry: as after one, but for
 * RIP and RF. */
static inline void end_iteration(void)
{
    u64 shadow = BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~shadow);
    if ((vmread(GUEST_RFLAGS) & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS,
                vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

#endif
