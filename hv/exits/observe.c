/* What an exit does beyond the plain way: called by exits/entry.asm once its time has been taken,
 * for vCPUs with chores. */
#include "exits/entry.h"
#include "stats/timeline.h"
#include "vmx/access.h"

void observe_exit(struct vcpu *vcpu)
{
    u32 chores = vcpu->chores;
    u64 now = vcpu->exit_tsc - vcpu->tsc_moved;
    if (vcpu->mark_waits)
        timeline_mark(vcpu->mark, now);
    vcpu->mark_waits = false;
    if ((chores & CHORE_SAMPLE) && vcpu->presence == RUNS) /* kernels send a SIPI soon after INIT */
        timeline_tick(now);
    if (chores & CHORE_SMI_BLOCKING)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_SMI);
    if (chores & CHORE_REARM) {
        vmwrite(XSS_EXITING_BITMAP, vcpu->controls.xss_exiting);
        vcpu_drop_chores(vcpu, CHORE_REARM);
    }
    if (chores & CHORE_REARM_LATER) {
        vcpu_drop_chores(vcpu, CHORE_REARM_LATER);
        vcpu_add_chore(vcpu, CHORE_REARM);
    }
}
