#include "vmx/advance.h"
#include "vmx/guest_state.h"

u64 wrapped_rip(u64 rip)
{
    return guest_64bit_code() ? rip : (u32)rip;
}

void pend_single_step(u64 rflags)
{
    if ((rflags & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS,
                vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

void finish_flags(u64 rflags)
{
    if (rflags & RFLAGS_RF)
        vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
    pend_single_step(rflags);
}

enum exit_action execute_again(void)
{
    set_resume_flag();
    return EXIT_RETRY;
}

enum exit_action next_iteration(void)
{
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_SHADOW);
    pend_single_step(vmread(GUEST_RFLAGS));
    return execute_again();
}
