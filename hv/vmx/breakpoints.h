/*
 * Breakpoints in the guest's debug registers, over accesses that Tally makes in the guest's place:
 * the trap then comes behind the instruction. SDM vol. 3, 'Debug Registers'.
 */
#ifndef TALLY_VMX_BREAKPOINTS_H
#define TALLY_VMX_BREAKPOINTS_H

#include "vmx/access.h"
#include "x86/registers.h"

enum breakpoint_access { BREAKPOINT_READ, BREAKPOINT_WRITE, BREAKPOINT_PORT };

/* Whether the guest's debugger may be interested at all. */
static inline bool breakpoints_enabled(void)
{
    return vmread(GUEST_DR7) & DR7_BREAKPOINTS;
}

/* An instruction that succeeds has accessed `size` bytes at a linear address or port: if a
 * breakpoint is there, #DB becomes pending. */
void match_breakpoints(enum breakpoint_access access, u64 address, unsigned size);

/* DR6 as a #DB leaves it: `causes` in the layout of its exit qualification (a 1 for RTM and for a
 * bus lock), and DR6_BT. SDM vol. 3, 'Debug Status Register (DR6)'. */
void update_dr6(u64 causes);

#endif
