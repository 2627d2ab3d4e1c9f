/* The end of a run falls into exits that are not recorded, or not whole. */
#include "sites/sites.h"
#include "stats/counters.h"
#include "stats/window.h"

static void trace_last_exit(const struct vcpu *vcpu, const struct known_site *known)
{
    const struct recorder *r = &vcpu->recorder;
    struct trace_record *record = r->trace_next == r->trace_end ? r->trace_turn : r->trace_next;
    if (record)
        *record = (struct trace_record){
            .time = vcpu->exit_tsc - vcpu->tsc_moved - run_facts->start_tsc,
            .rip = known->key_rip,
            .detail = known->key_detail,
            .vcpu = known->vcpu,
            .reason = known->reason,
            .mode = known->mode,
        };
    r->trace->written++;
}

static struct reason_counter recorded_sum(const struct site_table *table, unsigned reason)
{
    struct reason_counter sum = table->other[reason];
    for (u64 row = 0; row < table->rows; row++)
        if (table->site[row].key.what && table->site[row].key.reason == reason)
            counter_add(&sum, &table->site[row].counter);
    return sum;
}

/* What was cut off, or was of a CPU that was taken out of VMX operation. */
static void balance(struct site_table *table, unsigned reason, const struct reason_counter *counted)
{
    struct reason_counter sum = recorded_sum(table, reason);
    table->other[reason].count += counted->count - sum.count;
    table->other[reason].cycles += counted->cycles - sum.cycles;
}

void record_last_exits(struct vcpu *vcpu)
{
    struct known_site *known = vcpu->recorder.known + KNOWN_SITES;
    if (!vcpu->recorder.known)
        return;
    learn_site(vcpu, known, 0, 0);
    if (vcpu->recorder.trace)
        trace_last_exit(vcpu, known);
    known->counter->count++;
    for (unsigned i = 0; i < run_facts->vcpus; i++) {
        struct site_table *table = window_copy(window, WINDOW_SITES, i);
        for (unsigned reason = 0; table && reason < REASON_SLOTS; reason++)
            balance(table, reason, &statistics[i].reason[reason]);
    }
}
