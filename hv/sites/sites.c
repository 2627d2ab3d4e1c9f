#include "sites/sites.h"
#include "lib/print.h"
#include "stats/counters.h"
#include "stats/window.h"

#define SPREAD 0x9E3779B97F4A7C15ull /* 2^64 / the golden ratio: makes of near keys far ones */
#define PROBES 32                    /* the work has an end, however full the table is */

static void clear_counters(struct reason_counter *counters, u64 count)
{
    for (u64 i = 0; i < count; i++)
        counters[i] = NO_EXITS;
}

/* A power of two. */
static u32 table_rows(const struct options *options)
{
    u32 asked = options->sites & ~SITES_USER_RIPS, rows = 64;
    if (!asked)
        asked = DEFAULT_SITES;
    while (rows < asked)
        rows *= 2;
    return rows;
}

void recording_plan(const struct options *options, unsigned vcpus, u64 sizes[WINDOW_PARTS])
{
    if (options->sites) {
        sizes[WINDOW_SITES] = sizeof(struct site_table) + table_rows(options) * sizeof(struct site);
        sizes[WINDOW_HISTOGRAMS] = sizeof(struct histograms);
    }
    u64 trace = (options->trace & ~TRACE_LAST) * MIB;
    if (options->trace)
        sizes[WINDOW_TRACE] = align_down(trace / vcpus, PAGE_SIZE);
    if (options->sites || options->trace)
        say("sites and trace take %lu KiB of memory for each CPU",
            (sizes[WINDOW_SITES] + sizes[WINDOW_HISTOGRAMS] + sizes[WINDOW_TRACE]) / KIB);
}

u16 site_sources[EXIT_REASONS];

unsigned recorder_frames(const struct options *options)
{
    bool asked = options->sites || options->trace;
    return asked ? align_up(sizeof(struct recorder_memory), PAGE_SIZE) / PAGE_SIZE : 0;
}

static void start_sites(struct recorder *r, const struct options *options)
{
    r->sites->rows = table_rows(options);
    r->sequence = &r->sites->sequence;
    clear_counters(r->sites->other, REASON_SLOTS);
}

static void start_trace(struct recorder *r, bool last)
{
    u64 room = window->part[WINDOW_TRACE].size - sizeof(struct trace_log);
    r->trace->rows = room / sizeof(struct trace_record);
    r->trace->last = last;
    r->trace_next = r->trace->record;
    r->trace_end = r->trace->record + r->trace->rows;
    r->trace_turn = last ? r->trace->record : NULL;
}

void recording_start(struct vcpu *vcpu, const struct options *options, void *frames)
{
    struct recorder *r = &vcpu->recorder;
    struct recorder_memory *memory = frames;
    if (vcpu->index >= window->part[WINDOW_COUNTERS].copies)
        return; /* it stays in Tally */
    *r = (struct recorder){
        .sites = window_copy(window, WINDOW_SITES, vcpu->index),
        .histograms = window_copy(window, WINDOW_HISTOGRAMS, vcpu->index),
        .trace = window_copy(window, WINDOW_TRACE, vcpu->index),
        .user_rips = options->sites & SITES_USER_RIPS,
    };
    if (!r->sites && !r->trace)
        return;
    r->known = memory->known;
    r->sequence = &memory->sequence;
    if (r->sites)
        start_sites(r, options);
    if (r->trace)
        start_trace(r, options->trace & TRACE_LAST);
    for (unsigned reason = 0; reason < EXIT_REASONS; reason++)
        site_sources[reason] = site_source(reason);
    vcpu->chores |= CHORE_RECORD; /* before its VMCS is made */
}

static bool is_site(const struct site *site, const struct site_key *key)
{
    return site->key.rip == key->rip && site->key.detail == key->detail &&
           site->key.what == key->what;
}

static struct site *take_row(struct site_table *table, struct site *site,
                             const struct site_key *key)
{
    site->counter = NO_EXITS;
    site->key = *key;
    table->used++;
    return site;
}

/* The key's row; NULL: the table has no room for it. */
static struct site *find_site(struct site_table *table, const struct site_key *key)
{
    u64 hash = (key->rip ^ key->detail * SPREAD ^ key->what) * SPREAD;
    for (unsigned probe = 0; probe < PROBES; probe++) {
        struct site *site = &table->site[((hash >> 32) + probe) & (table->rows - 1)];
        if (is_site(site, key))
            return site;
        if (!site->key.what)
            return take_row(table, site, key);
    }
    return NULL;
}

void learn_site(struct vcpu *vcpu, struct known_site *known, u64 detail, u64 rip)
{
    struct recorder *r = &vcpu->recorder;
    struct recorder_memory *memory = (struct recorder_memory *)r->known;
    struct site_key key = site_of_exit(vcpu);
    *known = (struct known_site){
        .rip = rip,
        .detail = detail,
        .what = vcpu->seen.mode | (u64)key.reason << SEEN_REASON_SHIFT,
        .counter = &memory->counter,
        .buckets = memory->buckets,
        .key_rip = key.rip,
        .key_detail = key.detail,
        .vcpu = (u16)vcpu->index,
        .reason = key.reason,
        .mode = key.mode,
    };
    if (!r->sites)
        return;
    ++*r->sequence;
    struct site *site = find_site(r->sites, &key);
    ++*r->sequence;
    known->counter = site ? &site->counter : &r->sites->other[key.reason];
    known->buckets = r->histograms->bucket[key.reason];
}
