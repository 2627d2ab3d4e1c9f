#include "exits/exits.h"
#include "exits/stop.h"
#include "stats/timeline.h"

struct row {
    enum exit_action (*handle)(struct vcpu *vcpu);
    bool delivery; /* may interrupt an event's delivery: IDT-vectoring information is looked at */
};

static const struct row rows[REASON_SLOTS] = {
#define EXIT_REASON(number, name, text, kind, delivery, handler)                                   \
    [number] = {exit_##handler, delivery},
#include "exit_reasons.def"
#undef EXIT_REASON
    [EXIT_REASONS] = {exit_undefined, false},
};

static void read_interrupted_delivery(struct vcpu *vcpu)
{
    u32 info = (u32)vmread(IDT_VECTORING_INFO);
    vcpu->vectoring = info & INTERRUPTION_VALID ? info : 0;
}

/* The guest did not run, nothing of it may be advanced or delivered again. */
static struct reason_counter *entry_failed(struct vcpu *vcpu, struct reason_counter *counter)
{
    if (exit_entry_failure(vcpu) == EXIT_STOP)
        stop_guest(vcpu);
    return counter;
}

struct reason_counter *dispatch_exit(struct vcpu *vcpu)
{
    u32 word = (u32)vmread(VM_EXIT_REASON);
    u32 reason = word & EXIT_REASON_BASIC;
    if (unlikely(reason > EXIT_REASONS))
        reason = EXIT_REASONS;
    struct reason_counter *counter = &vcpu->stats.reason[reason];
    counter->count++;
    vcpu->exit_reason = word;
    timeline_tick(vcpu->exit_tsc);

    if (unlikely(word & EXIT_REASON_ENTRY_FAILURE))
        return entry_failed(vcpu, counter);
    if (rows[reason].delivery)
        read_interrupted_delivery(vcpu);

    enum exit_action action = rows[reason].handle(vcpu);
    if (likely(action == EXIT_ADVANCE))
        advance_rip(vcpu);
    else if (unlikely(action == EXIT_STOP))
        stop_guest(vcpu);
    if (unlikely(vcpu->vectoring))
        redeliver_event(vcpu);
    if (unlikely(vcpu->chores))
        vcpu_do_chores(vcpu);
    return counter;
}
