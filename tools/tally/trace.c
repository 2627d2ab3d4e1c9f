/* The newest records of the trace, or of a command's, oldest first, of all vCPUs in the order of
 * time. */
#include "commands.h"
#include "sites/words.h"
#include "stats/counters.h"
#include <stdio.h>
#include <stdlib.h>

static int by_time(const void *a, const void *b)
{
    const struct trace_record *x = a, *y = b;
    return x->time < y->time ? -1 : x->time > y->time;
}

static size_t gather(const struct window *w, struct trace_record **list, u64 *lost)
{
    size_t room = 1, n = 0;
    for (u32 vcpu = 0; vcpu < w->facts.vcpus; vcpu++)
        room += ((const struct trace_log *)window_copy(w, WINDOW_TRACE, vcpu))->rows;
    *list = take_memory(room * sizeof(**list));
    for (u32 vcpu = 0; vcpu < w->facts.vcpus; vcpu++) {
        const struct trace_log *log = window_copy(w, WINDOW_TRACE, vcpu);
        u64 kept = log->written < log->rows ? log->written : log->rows;
        *lost += log->written - kept;
        for (u64 i = 0; i < kept; i++)
            (*list)[n++] = log->record[i];
    }
    qsort(*list, n, sizeof(**list), by_time);
    return n;
}

static u64 last_time(const struct window *w)
{
    struct trace_record *list;
    u64 lost = 0;
    size_t n = gather(w, &list, &lost);
    u64 time = n ? list[n - 1].time : 0;
    free(list);
    return time;
}

int command_trace(const struct options *o)
{
    struct reading before, after;
    struct trace_record *list;
    u64 lost = 0;
    int status = run_between(o, &before, &after, PART(TRACE));
    if (!after.window->part[WINDOW_TRACE].size) {
        fprintf(
            stderr,
            "tally: no trace is kept, or not to be read (%s); start Tally with trace=MIB,last\n",
            where_from());
        return STATUS_NO_TALLY;
    }
    u64 since = o->words[0] ? last_time(before.window) : 0;
    size_t n = gather(after.window, &list, &lost), wanted = o->times < 0 ? 20
                                                            : o->times   ? (size_t)o->times
                                                                         : n;
    while (n && list[0].time <= since)
        list++, n--;
    printf("  %16s %4s %-20s %-18s %-34s %9s\n", "ticks", "vcpu", "reason", "detail", "where",
           "cycles");
    for (size_t i = n > wanted ? n - wanted : 0; i < n; i++) {
        const struct trace_record *r = &list[i];
        char detail[40];
        site_detail_text(detail, sizeof(detail), r->reason, r->detail);
        printf("  %16llu %4u %-20s %-18s %-34s %9u\n", (unsigned long long)r->time, r->vcpu,
               reason_name(r->reason), detail, function_at(r->rip, r->mode), r->cycles);
    }
    printf("  %zu records, %llu lost\n", n, (unsigned long long)lost);
    return status;
}
