/* Stepping over an instruction, inline, as most exits do it; and the debug exceptions that this
 * makes. */
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
    vmwrite_unchecked(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF);
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

/* ---- Breakpoints in the guest's debug registers, over accesses that Tally makes in the guest's
 * place: the trap then comes after the instruction. SDM vol. 3, 'Debug Registers' ---- */

enum breakpoint_access { BREAKPOINT_READ, BREAKPOINT_WRITE, BREAKPOINT_PORT };

/* Whether the guest's debugger may be interested at all. */
static inline bool breakpoints_enabled(void)
{
    return vmread(GUEST_DR7) & DR7_BREAKPOINTS;
}

/* An instruction that succeeds has accessed `size` bytes at a linear address or port: if a
 * breakpoint is there, #DB becomes pending. */
void match_breakpoints(enum breakpoint_access access, u64 address, unsigned size);

/* DR0 to DR3 and DR6 stay in the CPU while Tally runs; DR7 is in the VMCS. */
u64 live_debug_register(unsigned number);
void live_set_debug_register(unsigned number, u64 value);

/* DR6 as a #DB leaves it: `causes` in the layout of its exit qualification (a 1 for RTM and for a
 * bus lock), and DR6_BT. SDM vol. 3, 'Debug Status Register (DR6)'. */
void update_dr6(u64 causes);

#endif
