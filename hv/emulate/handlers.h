/* The handlers of exit reasons, by the last column of exit_reasons.def. */
#ifndef TALLY_EMULATE_HANDLERS_H
#define TALLY_EMULATE_HANDLERS_H

#include "vmx/access.h"
#include "vmx/events.h"
#include "vmx/guest_state.h"
#include "vcpu.h"

#define EXIT_REASON(number, name, text, kind, delivery, handler)                                   \
    enum exit_action exit_##handler(struct vcpu *vcpu);
#include "exit_reasons.def"
#undef EXIT_REASON

/*
 * The one way of an exit, called by exits/entry.asm: counts, dispatches, acts on the answer.
 * The assembly adds the cycles to vcpu->counter.
 */
void dispatch_exit(struct vcpu *vcpu);

#endif
