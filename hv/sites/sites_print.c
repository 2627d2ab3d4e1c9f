/* The recorder's part of the JSON report. */
#include "sites/sites_print.h"
#include "lib/print.h"
#include "stats/counters.h"
#include "stats/window.h"
#include "sites/words.h"

static void print_counter(const struct reason_counter *c)
{
    print("\"count\":%lu,\"cycles\":%lu,\"min\":%lu,\"max\":%lu}\n", c->count, c->cycles,
          c->min == NO_EXITS.min ? 0 : c->min, c->max);
}

static void print_site(const struct site *site, unsigned vcpu)
{
    char detail[40], mode[16];
    site_detail_text(detail, sizeof(detail), site->key.reason, site->key.detail);
    site_mode_text(mode, sizeof(mode), site->key.mode);
    print("{\"site\":{\"reason\":%u,\"detail\":\"%s\",\"rip\":\"0x%lx\",\"mode\":\"%s\","
          "\"vcpu\":%u},",
          site->key.reason, detail, site->key.rip, mode, vcpu);
    print_counter(&site->counter);
}

static void print_table(const struct site_table *table, unsigned vcpu)
{
    for (u64 row = 0; row < table->rows; row++)
        if (table->site[row].key.what)
            print_site(&table->site[row], vcpu);
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++)
        if (table->other[reason].count) {
            print("{\"other\":%u,\"vcpu\":%u,", reason, vcpu);
            print_counter(&table->other[reason]);
        }
}

/* The lower bound of a bucket. */
static u64 bucket_start(unsigned bucket)
{
    return bucket < 4 ? bucket : (4ull + bucket % 4) << (bucket / 4 - 1);
}

static void print_histogram(unsigned reason, const struct histograms *h, unsigned vcpu)
{
    const char *separator = "";
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        u64 count = h->bucket[reason][bucket];
        if (!count)
            continue;
        if (!*separator)
            print("{\"histogram\":%u,\"vcpu\":%u,\"buckets\":[", reason, vcpu);
        print("%s[%lu,%lu]", separator, bucket_start(bucket), count);
        separator = ",";
    }
    if (*separator)
        print("]}\n");
}

static void print_trace(const struct trace_log *log, unsigned vcpu)
{
    u64 kept = log->written < log->rows ? log->written : log->rows;
    print("{\"trace\":{\"vcpu\":%u,\"records\":%lu,\"lost\":%lu}}\n", vcpu, kept,
          log->written - kept);
}

void sites_print(void)
{
    for (unsigned vcpu = 0; vcpu < window->facts.vcpus; vcpu++) {
        const struct site_table *table = window_copy(window, WINDOW_SITES, vcpu);
        const struct histograms *histograms = window_copy(window, WINDOW_HISTOGRAMS, vcpu);
        const struct trace_log *log = window_copy(window, WINDOW_TRACE, vcpu);
        if (table)
            print_table(table, vcpu);
        for (unsigned reason = 0; histograms && reason < REASON_SLOTS; reason++)
            print_histogram(reason, histograms, vcpu);
        if (log)
            print_trace(log, vcpu);
    }
}
