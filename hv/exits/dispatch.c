#include "emulate/handlers.h"
#include "exits/entry.h"
#include "vmx/advance.h"

typedef enum exit_action exit_handler(struct vcpu *vcpu);

/* For the rows whose exit may interrupt the delivery of an event: it is looked at first, and what
 * the handler does not merge with an exception of its own is delivered again. */
static __attribute__((noinline)) enum exit_action with_delivery(struct vcpu *vcpu,
                                                                exit_handler *handle)
{
    u32 info = (u32)vmread(IDT_VECTORING_INFO);
    vcpu->vectoring = info & INTERRUPTION_VALID ? info : 0;
    enum exit_action action = handle(vcpu);
    if (vcpu->vectoring && action != EXIT_STOP)
        redeliver_event(vcpu);
    return action;
}

/* The functions of such rows, delivering_…(); the others' handlers are in the table themselves. */
#define DELIVERY_0(handler)
#define DELIVERY_1(handler)                                                                        \
    static enum exit_action delivering_##handler(struct vcpu *vcpu)                                \
    {                                                                                              \
        return with_delivery(vcpu, exit_##handler);                                                \
    }
#define EXIT_REASON(number, name, kind, delivery, handler) DELIVERY_##delivery(handler)
#include "exit_reasons.def"

#define ROW_ENTRY_FAILED REASON_SLOTS /* whatever the reason: the guest did not run */

#define FUNCTION_0(handler) exit_##handler
#define FUNCTION_1(handler) delivering_##handler
static exit_handler *const handlers[] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = FUNCTION_##delivery(handler),
#include "exit_reasons.def"
    [EXIT_REASONS] = exit_undefined,
    [ROW_ENTRY_FAILED] = exit_entry_failure,
};

/* The word may have flags above the reason's number, and the number may lie beyond the table. */
static u64 slot_of(u64 word)
{
    u64 reason = word & EXIT_REASON_BASIC;
    return reason < EXIT_REASONS ? reason : EXIT_REASONS;
}

void dispatch_exit(struct vcpu *vcpu)
{
    u64 word = vmread(VM_EXIT_REASON), slot = word, row = word;
    if (unlikely(word >= EXIT_REASONS)) {
        slot = slot_of(word);
        row = word & EXIT_REASON_ENTRY_FAILURE ? ROW_ENTRY_FAILED : slot;
    }
    vcpu->exit_reason = (u32)word;
    struct reason_counter *counter = &vcpu->stats->reason[slot];
    counter->count++;
    vcpu->counter = counter;

    enum exit_action action = handlers[row](vcpu);
    if (likely(action == EXIT_ADVANCE))
        advance_rip();
    else if (unlikely(action == EXIT_STOP))
        stop_guest(vcpu);
    else
        keep_single_step_in_shadow();
    ACCESSES_OF(slot);
}
