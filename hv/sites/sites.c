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

void recording_start(struct vcpu *vcpu, const struct options *options)
{
    struct recorder *r = &vcpu->recorder;
    *r = (struct recorder){
        .sites = window_copy(window, WINDOW_SITES, vcpu->index),
        .histograms = window_copy(window, WINDOW_HISTOGRAMS, vcpu->index),
        .trace = window_copy(window, WINDOW_TRACE, vcpu->index),
        .user_rips = options->sites & SITES_USER_RIPS,
    };
    if (r->sites) {
        r->sites->rows = table_rows(options);
        clear_counters(r->sites->other, REASON_SLOTS);
    }
    if (r->trace) {
        u64 room = window->part[WINDOW_TRACE].size - sizeof(struct trace_log);
        r->trace->rows = room / sizeof(struct trace_record);
        r->trace->last = options->trace & TRACE_LAST ? 1 : 0;
    }
    if (r->sites || r->trace)
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

static inline void count_cycles(struct reason_counter *counter, u64 cycles)
{
    counter->count++;
    counter->cycles += cycles;
    if (cycles < counter->min)
        counter->min = cycles;
    if (cycles > counter->max)
        counter->max = cycles;
}

/* Four buckets an octave. */
static unsigned bucket_of(u64 cycles)
{
    if (cycles < 4)
        return (unsigned)cycles;
    unsigned octave = 63 - (unsigned)__builtin_clzll(cycles);
    unsigned bucket = 4 * (octave - 1) + (cycles >> (octave - 2) & 3);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static struct reason_counter *counter_of(struct recorder *r, const struct site_key *key)
{
    if (!r->newest || !is_site(r->newest, key))
        r->newest = find_site(r->sites, key);
    return r->newest ? &r->newest->counter : &r->sites->other[key->reason];
}

static void record_site(struct recorder *r, const struct site_key *key, u64 cycles)
{
    r->sites->sequence++;
    count_cycles(counter_of(r, key), cycles);
    r->histograms->bucket[key->reason][bucket_of(cycles)]++;
    r->sites->sequence++;
}

static void record_trace(struct trace_log *log, const struct vcpu *vcpu, const struct site_key *key,
                         u64 cycles)
{
    u64 row = log->written;
    if (row >= log->rows) {
        if (!log->last) {
            log->written++;
            return;
        }
        row %= log->rows;
    }
    log->record[row] = (struct trace_record){
        .time = vcpu->exit_tsc - vcpu->tsc_moved - run_facts->start_tsc,
        .rip = key->rip,
        .detail = key->detail,
        .cycles = cycles < ~0u ? (u32)cycles : ~0u,
        .vcpu = (u16)vcpu->index,
        .reason = key->reason,
        .mode = key->mode,
    };
    log->written++;
}

void record_exit(struct vcpu *vcpu, u64 cycles)
{
    struct recorder *r = &vcpu->recorder;
    struct site_key key = site_of_exit(vcpu);
    if (r->sites)
        record_site(r, &key, cycles);
    if (r->trace)
        record_trace(r->trace, vcpu, &key, cycles);
}

static struct reason_counter recorded_sum(const struct site_table *table, unsigned reason)
{
    struct reason_counter sum = table->other[reason];
    for (u64 row = 0; row < table->rows; row++)
        if (table->site[row].key.what && table->site[row].key.reason == reason)
            counter_add(&sum, &table->site[row].counter);
    return sum;
}

/* What did not pass observe_exit(): cut off, or of a CPU that was taken out of VMX operation. */
static void balance(struct site_table *table, unsigned reason, const struct reason_counter *counted)
{
    struct reason_counter sum = recorded_sum(table, reason);
    table->other[reason].count += counted->count - sum.count;
    table->other[reason].cycles += counted->cycles - sum.cycles;
}

void record_last_exits(struct vcpu *vcpu)
{
    struct site_key key = site_of_exit(vcpu);
    if (vcpu->recorder.trace)
        record_trace(vcpu->recorder.trace, vcpu, &key, 0);
    if (vcpu->recorder.sites)
        counter_of(&vcpu->recorder, &key)->count++;
    for (unsigned i = 0; i < run_facts->vcpus; i++) {
        struct site_table *table = window_copy(window, WINDOW_SITES, i);
        for (unsigned reason = 0; table && reason < REASON_SLOTS; reason++)
            balance(table, reason, &statistics[i].reason[reason]);
    }
}
