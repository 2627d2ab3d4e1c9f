/* Stepping over an instruction: inline, as most exits do it. */
#ifndef TALLY_VMX_ADVANCE_H
#define TALLY_VMX_ADVANCE_H

#include "vcpu.h"
#include "vmx/access.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* The rare parts: `rip` crossed 4 GiB, or RF or TF is set in `rflags`. */
u64 wrapped_rip(u64 rip);
void finish_flags(u64 rflags);

/* With TF in `rflags`, and without BTF: #DB comes as soon as nothing blocks it. */
void pend_single_step(u64 rflags);

/* RF in the guest's RFLAGS: no instruction breakpoint at the next entry's RIP. */
static inline void set_resume_flag(void)
{
    vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF);
}

/* EXIT_RETRY for an instruction that is executed again after it exited: hardware has saved its RF
 * as 0, and a breakpoint on it would hit a second time. */
enum exit_action execute_again(void);

/* The same between two iterations: as after an instruction, but for RIP and RF. */
enum exit_action next_iteration(void);

/* Steps over the instruction that was carried out: RIP, blocking by STI and MOV SS, RF, TF. Returns
 * the guest's RFLAGS as they were. */
static inline u64 advance_rip(void)
{
    u64 old = vmread(GUEST_RIP);
    u64 rip = old + vmread(VM_EXIT_INSTRUCTION_LENGTH);
    if (unlikely((old ^ rip) >> 32))
        rip = wrapped_rip(rip);
    vmwrite_unchecked(GUEST_RIP, rip);

    u64 blocking = vmread(GUEST_INTERRUPTIBILITY);
    if (unlikely(blocking & BLOCKING_SHADOW))
        vmwrite(GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_SHADOW);

    u64 rflags = vmread(GUEST_RFLAGS);
    if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
        finish_flags(rflags);
    return rflags;
}

/*
 * Before an entry without stepping over: in the shadow of STI or MOV SS it wants a pending BS with
 * TF, which the exit may not have left. SDM vol. 3, 'Checks on Guest Non-Register State' and
 * 'Saving Non-Register State'.
 */
static inline void keep_single_step_in_shadow(void)
{
    if (unlikely(vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOW))
        pend_single_step(vmread(GUEST_RFLAGS));
}

#endif
