#include "stats/report.h"
#include "lib/print.h"
#include "stats/counters.h"
#include "stats/timeline.h"
#include "stats/window.h"

/* What is printed: copied first, because other CPUs may still be counting. */
struct snapshot {
    struct reason_counter reason[REASON_SLOTS], sum;
    unsigned rows;          /* reasons that happened */
    u8 order[REASON_SLOTS]; /* most frequent first, then by number */
};

static void sort_by_count(struct snapshot *s)
{
    s->rows = 0;
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        if (!s->reason[reason].count)
            continue;
        unsigned at = s->rows++;
        for (; at > 0 && s->reason[s->order[at - 1]].count < s->reason[reason].count; at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = reason;
    }
}

static void take_snapshot(struct snapshot *s, unsigned first_vcpu, unsigned end_vcpu)
{
    s->sum = NO_EXITS;
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        struct reason_counter *row = &s->reason[reason];
        *row = NO_EXITS;
        for (unsigned vcpu = first_vcpu; vcpu < end_vcpu; vcpu++)
            counter_add(row, &statistics[vcpu].reason[reason]);
        counter_add(&s->sum, row);
    }
    sort_by_count(s);
}

/* Of an exit that is still in progress, the count is known but no time. */
static u64 shown_min(const struct reason_counter *c)
{
    return c->min == NO_EXITS.min ? 0 : c->min;
}

/* ---- The table ---- */

struct widths {
    int count, cycles, time;
};

static int width_of(u64 value, int at_least)
{
    int width = format_string(NULL, 0, "%lu", value);
    return width > at_least ? width : at_least;
}

/* A part of the whole in tenths of a percent, rounded; any 64-bit numbers. */
static unsigned per_mille(u64 part, u64 whole)
{
    for (; whole >> 53; whole >>= 1)
        part >>= 1;
    return whole ? (part * 1000 + whole / 2) / whole : 0;
}

static u64 average_cycles(const struct reason_counter *c)
{
    return c->count ? (c->cycles + c->count / 2) / c->count : 0;
}

static void print_row(const char *label, const struct reason_counter *c,
                      const struct reason_counter *sum, const struct widths *w)
{
    unsigned count = per_mille(c->count, sum->count), cycles = per_mille(c->cycles, sum->cycles);

    say("%-31s %*lu  %3u.%u%%  %*lu  %4u.%u%%  %*lu %*lu %*lu", label, w->count, c->count,
        count / 10, count % 10, w->cycles, c->cycles, cycles / 10, cycles % 10, w->time,
        shown_min(c), w->time, average_cycles(c), w->time, c->max);
}

static void print_table(const struct snapshot *s)
{
    const struct widths w = {
        .count = width_of(s->sum.count, 9),
        .cycles = width_of(s->sum.cycles, 12),
        .time = width_of(s->sum.max, 7),
    };
    say("%-31s %*s  %6s  %*s  %7s  %*s %*s %*s", "  reason", w.count, "count", "count%", w.cycles,
        "cycles", "cycles%", w.time, "min", w.time, "avg", w.time, "max");

    for (unsigned row = 0; row < s->rows; row++) {
        char label[40];
        unsigned reason = s->order[row];
        format_string(label, sizeof(label), "%6u %s", reason, reason_name(reason));
        print_row(label, &s->reason[reason], &s->sum, &w);
    }
    print_row("       sum", &s->sum, &s->sum, &w);
}

/* ---- JSON lines ---- */

static void print_begin(u64 tsc)
{
    print("{\"tally\":\"begin\",\"version\":");
    print_quoted(run_facts->version, sizeof(run_facts->version));
    print(",\"vcpus\":%u,\"profile\":", run_facts->vcpus);
    print_quoted(profile_names[run_facts->profile], SIZE_MAX);
    print(",\"cpu\":");
    print_quoted(run_facts->cpu, sizeof(run_facts->cpu));
    print(",\"tsc_khz\":%u,\"tsc\":%lu}\n", run_facts->tsc_khz, tsc);
}

/* `vcpu` is an opening piece of each line, or nothing. */
static void print_json_rows(const struct snapshot *s, const char *vcpu)
{
    for (unsigned row = 0; row < s->rows; row++) {
        unsigned reason = s->order[row];
        const struct reason_counter *c = &s->reason[reason];
        print("{%s\"reason\":%u,\"name\":\"%s\",\"count\":%lu,\"cycles\":%lu,"
              "\"min\":%lu,\"max\":%lu}\n",
              vcpu, reason, reason_name(reason), c->count, c->cycles, shown_min(c), c->max);
    }
}

/* ---- Both, for all vCPUs together and for each ---- */

static struct snapshot whole, one; /* static: too large for the stack */

static void print_totals(void)
{
    say("exits %lu  cycles %lu  vcpus %u", whole.sum.count, whole.sum.cycles, run_facts->vcpus);
}

static void print_tables(bool per_cpu)
{
    print_totals();
    print_table(&whole);
    for (unsigned vcpu = 0; per_cpu && vcpu < run_facts->vcpus; vcpu++) {
        take_snapshot(&one, vcpu, vcpu + 1);
        say("vcpu %u  exits %lu  cycles %lu", vcpu, one.sum.count, one.sum.cycles);
        print_table(&one);
    }
}

static void print_json(bool per_cpu, u64 tsc, void (*more)(void))
{
    print_begin(tsc);
    timeline_print();
    print_json_rows(&whole, "");
    for (unsigned vcpu = 0; per_cpu && vcpu < run_facts->vcpus; vcpu++) {
        char opening[24];
        format_string(opening, sizeof(opening), "\"vcpu\":%u,", vcpu);
        take_snapshot(&one, vcpu, vcpu + 1);
        print_json_rows(&one, opening);
    }
    if (more)
        more();
    print("{\"tally\":\"end\",\"exits\":%lu,\"cycles\":%lu}\n", whole.sum.count, whole.sum.cycles);
}

/* ---- On a screen ---- */

static void print_short_row(unsigned reason)
{
    const struct reason_counter *c = &whole.reason[reason];
    unsigned count = per_mille(c->count, whole.sum.count);
    unsigned cycles = per_mille(c->cycles, whole.sum.cycles);
    say("%4u %-24s %12lu  %3u.%u%%  %4u.%u%%  %9lu", reason, reason_name(reason), c->count,
        count / 10, count % 10, cycles / 10, cycles % 10, average_cycles(c));
}

void report_print_short(unsigned lines)
{
    if (!run_facts->report)
        return;
    take_snapshot(&whole, 0, run_facts->vcpus);
    print_totals();
    if (lines < 4)
        return;
    unsigned rows = whole.rows < lines - 3 ? whole.rows : lines - 3;
    say("  reason                             count  count%%  cycles%%       avg");
    for (unsigned row = 0; row < rows; row++)
        print_short_row(whole.order[row]);
    if (rows < whole.rows)
        say("and %u less frequent reasons", whole.rows - rows);
}

void report_print(u64 tsc, void (*more)(void))
{
    unsigned formats = run_facts->report;
    take_snapshot(&whole, 0, run_facts->vcpus);
    if (formats & REPORT_JSON)
        print_json(formats & REPORT_PER_CPU, tsc, more);
    if (formats & REPORT_TABLE) /* last: it is what stays on a terminal */
        print_tables(formats & REPORT_PER_CPU);
}
