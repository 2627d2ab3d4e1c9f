/* The handlers of exit reasons, by the last column of exit_reasons.def. */
#ifndef TALLY_EMULATE_HANDLERS_H
#define TALLY_EMULATE_HANDLERS_H

#include "vmx/access.h"
#include "vmx/events.h"
#include "vmx/guest_state.h"
#include "vcpu.h"

#define EXIT_REASON(number, name, kind, delivery, handler)                                         \
    enum exit_action exit_##handler(struct vcpu *vcpu);
#include "exit_reasons.def"

#endif
