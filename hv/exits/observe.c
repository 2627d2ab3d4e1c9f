/* What an exit does beyond the plain way: called by exits/entry.asm once its time has been taken,
 * for vCPUs with chores. */
#include "exits/entry.h"
#include "emulate/io.h"
#include "lib/print.h"
#include "stats/timeline.h"
#include "vmx/access.h"
#include "vmx/guest_state.h"

/* A code of power-on self tests; a loop of delays, which kernels make of the port, is one mark. */
static RARELY void mark_post(const struct vcpu *vcpu, u64 now)
{
    static u32 last; /* and BIT(8), once there is one */
    u8 code = (u8)vcpu->gpr[RAX];
    char name[MARK_NAME];
    if (vcpu->exit_reason != EXIT_IO_INSTRUCTION || (code | BIT(8)) == last)
        return;
    u64 access = vmread(EXIT_QUALIFICATION);
    if (access & (IO_IN | IO_STRING) || (u16)(access >> IO_PORT_SHIFT) != POST_PORT)
        return;
    last = code | BIT(8);
    format_string(name, sizeof(name), "port80 %02x", code);
    timeline_mark(name, now);
}

/* The first exits at addresses that only a kernel's own tables have, then in ring 3. */
static RARELY void mark_phase(struct vcpu *vcpu, u64 now)
{
    static bool kernel;
    bool high = vmread(GUEST_RIP) >> 63;
    if (high && !kernel)
        timeline_mark("kernel", now);
    kernel |= high;
    if (!kernel || guest_cpl() != 3)
        return;
    timeline_mark("user space", now);
    vcpu_drop_chores(vcpu, CHORE_PHASES);
}

void observe_exit(struct vcpu *vcpu)
{
    u32 chores = vcpu->chores;
    u64 now = vcpu->exit_tsc - vcpu->tsc_moved;
    if (chores & CHORE_POSTS)
        mark_post(vcpu, now);
    if (chores & CHORE_PHASES)
        mark_phase(vcpu, now);
    if (vcpu->mark_waits)
        timeline_mark(vcpu->mark, now);
    vcpu->mark_waits = false;
    /* Asked at every exit; and kernels send a SIPI soon after INIT. */
    if ((chores & CHORE_SAMPLE) && vcpu->presence == RUNS && unlikely(now >= timeline_due))
        timeline_sample(now);
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
