#include "reading.h"
#include <stdlib.h>

struct reading reading_take(unsigned parts)
{
    struct reading r = {.window = window_take(parts)};
    if (!r.window)
        r.window = leaves_take();
    clock_gettime(CLOCK_MONOTONIC, &r.time);
    return r;
}

static void subtract(struct reason_counter *after, const struct reason_counter *before)
{
    after->count -= before->count < after->count ? before->count : after->count;
    after->cycles -= before->cycles < after->cycles ? before->cycles : after->cycles;
}

/* A site keeps its row. */
static void subtract_sites(struct site_table *after, const struct site_table *before)
{
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        subtract(&after->other[reason], &before->other[reason]);
    for (u64 row = 0; row < after->rows; row++) {
        subtract(&after->site[row].counter, &before->site[row].counter);
        if (!after->site[row].counter.count)
            after->site[row].key.what = 0;
    }
}

void reading_subtract(struct reading *after, const struct reading *before)
{
    for (u32 vcpu = 0; vcpu < after->window->facts.vcpus; vcpu++) {
        struct statistics *s = window_copy(after->window, WINDOW_COUNTERS, vcpu);
        const struct statistics *t = window_copy(before->window, WINDOW_COUNTERS, vcpu);
        for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
            subtract(&s->reason[reason], &t->reason[reason]);
        struct site_table *sites = window_copy(after->window, WINDOW_SITES, vcpu);
        const struct site_table *old = window_copy(before->window, WINDOW_SITES, vcpu);
        if (sites && old)
            subtract_sites(sites, old);
        struct histograms *h = window_copy(after->window, WINDOW_HISTOGRAMS, vcpu);
        const struct histograms *g = window_copy(before->window, WINDOW_HISTOGRAMS, vcpu);
        for (unsigned i = 0; h && g && i < REASON_SLOTS; i++)
            for (unsigned j = 0; j < HISTOGRAM_BUCKETS; j++)
                h->bucket[i][j] -= g->bucket[i][j];
    }
    after->window->part[WINDOW_TIMELINE].size = 0; /* it is the whole run's */
}

void reading_free(struct reading *r)
{
    free(r->window);
}

double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}
