#include "emulate/handlers.h"
#include "exits/entry.h"
#include "exits/stop.h"
#include "stats/timeline.h"
#include "vmx/advance.h"

struct row {
    enum exit_action (*handle)(struct vcpu *vcpu);
    bool delivery; /* may interrupt an event's delivery: IDT-vectoring information is looked at */
};

#define ROW_ENTRY_FAILED REASON_SLOTS /* whatever the reason: the guest did not run */

static const struct row rows[] = {
#define EXIT_REASON(number, name, text, kind, delivery, handler)                                   \
    [number] = {exit_##handler, delivery},
#include "exit_reasons.def"
#undef EXIT_REASON
    [EXIT_REASONS] = {exit_undefined, false},
    [ROW_ENTRY_FAILED] = {exit_entry_failure, false},
};

static void read_interrupted_delivery(struct vcpu *vcpu)
{
    u32 info = (u32)vmread(IDT_VECTORING_INFO);
    vcpu->vectoring = info & INTERRUPTION_VALID ? info : 0;
}

/* Beside a plain number of the table, the word may have flags above it, or a number beyond. */
static u32 slot_of(u32 word)
{
    u32 reason = word & EXIT_REASON_BASIC;
    return reason < EXIT_REASONS ? reason : EXIT_REASONS;
}

void dispatch_exit(struct vcpu *vcpu)
{
    timeline_tick(vcpu->exit_tsc);
    u32 word = (u32)vmread(VM_EXIT_REASON);
    u32 slot = word, row = word;
    if (unlikely(word >= EXIT_REASONS)) {
        slot = slot_of(word);
        row = word & EXIT_REASON_ENTRY_FAILURE ? ROW_ENTRY_FAILED : slot;
    }
    vcpu->exit_reason = word;
    vcpu->counter = &vcpu->stats.reason[slot];
    vcpu->counter->count++;
    if (unlikely(rows[row].delivery))
        read_interrupted_delivery(vcpu);

    enum exit_action action = rows[row].handle(vcpu);
    if (likely(action == EXIT_ADVANCE))
        advance_rip();
    else if (unlikely(action == EXIT_STOP))
        stop_guest(vcpu);
    if (unlikely(vcpu->vectoring))
        redeliver_event(vcpu);
    if (unlikely(vcpu->chores))
        vcpu_do_chores(vcpu);
    accesses_end_exit(slot);
}
