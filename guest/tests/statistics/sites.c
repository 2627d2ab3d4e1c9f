/*
 * Sites, histograms and trace as a guest reads them in the window: exits that are known by their
 * reason, detail, address and mode, each where it belongs. Skipped where nothing is recorded.
 */
#include "harness/families.h"
#include "harness/run.h"
#include "harness/tap.h"
#include "kernel/descriptors.h"
#include "kernel/smp.h"
#include "kernel/statistics.h"
#include "sites_layout.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

CODE64(cpuid_at_2, "nop; nop; cpuid");
CODE64(in_at_1, "nop; in al, 0x80");
CODE64(rdmsr_at_1, "nop; rdmsr");

#define LEAF 0x12
#define SUBLEAF 3
#define IN_80 0x800008u /* port, and that it is IN of a byte */

static const volatile struct window *w;

/* How the recorder names the modes of run(); and the rings that code cannot do all in. */
static const struct {
    enum site_mode mode;
    bool user;
} names[MODES] = {
    [MODE_64] = {SITE_64, false},
    [MODE_64_USER] = {SITE_64, true},
    [MODE_32] = {SITE_COMPATIBILITY, false},
    [MODE_32_USER] = {SITE_COMPATIBILITY, true},
    [MODE_16] = {SITE_COMPATIBILITY, false},
    [MODE_16_USER] = {SITE_COMPATIBILITY, true},
    [MODE_P32] = {SITE_32, false},
    [MODE_P32_USER] = {SITE_32, true},
    [MODE_P16] = {SITE_16, false},
    [MODE_P16_USER] = {SITE_16, true},
    [MODE_V86] = {SITE_V8086, true},
    [MODE_REAL] = {SITE_REAL, false},
    [MODE_N32] = {SITE_32, false},
    [MODE_N32_USER] = {SITE_32, true},
};

static const volatile void *part(enum window_kind kind, u32 vcpu)
{
    const volatile struct window_part *p = &w->part[kind];
    return p->size ? (const volatile u8 *)w + p->offset + vcpu * p->size : NULL;
}

static const volatile struct site_table *table(u32 vcpu)
{
    return part(WINDOW_SITES, vcpu);
}

/* How often the first vCPU has been at a site. */
static u64 count_at(u32 reason, u64 detail, u64 rip, u8 mode)
{
    const volatile struct site_table *t = table(0);
    for (u64 i = 0; i < t->rows; i++) {
        const volatile struct site *s = &t->site[i];
        if (s->key.used && s->key.reason == reason && s->key.detail == detail &&
            s->key.rip == rip && s->key.mode == mode)
            return s->counter.count;
    }
    return 0;
}

/* One exit of the code in each mode; `offset` of the instruction that makes it. */
static void test_code(struct code code, u32 offset, u32 reason, u64 detail, const char *what,
                      bool in_user, u64 rax, u64 rcx)
{
    for (enum mode mode = 0; mode < MODES; mode++) {
        struct run r = {.mode = mode, .code = code, .gpr = {[RAX] = rax, [RCX] = rcx}};
        if (names[mode].user && !in_user)
            continue;
        if (names[mode].user)
            r.rflags = RFLAGS_IOPL;
        u64 rip = names[mode].user ? offset : LOW_MEMORY + offset;
        u8 recorded = names[mode].mode << SITE_MODE_SHIFT | (names[mode].user ? 3 : 0);
        u64 before = count_at(reason, detail, rip, recorded);
        run_uncounted(&r);
        u64 more = count_at(reason, detail, rip, recorded) - before;
        if (!tally_ok(ran_to_end(&r) && more == 1, "%s is a site of its own, %s", what,
                      mode_name(mode)))
            note("%lu exits more at %lx, vector %lx", more, rip, r.vector);
    }
}

/* Counts and cycles of all reasons, by sites and by histograms, against the counters. */
static bool sums_are_right(void)
{
    static u64 count[REASON_SLOTS], cycles[REASON_SLOTS];
    const volatile struct site_table *t = table(0);
    const volatile struct histograms *h = part(WINDOW_HISTOGRAMS, 0);
    const volatile struct statistics *s = part(WINDOW_COUNTERS, 0);
    for (u32 reason = 0; reason < REASON_SLOTS; reason++) {
        count[reason] = t->other[reason].count;
        cycles[reason] = t->other[reason].cycles;
    }
    for (u64 i = 0; i < t->rows; i++)
        if (t->site[i].key.used) {
            count[t->site[i].key.reason] += t->site[i].counter.count;
            cycles[t->site[i].key.reason] += t->site[i].counter.cycles;
        }
    bool right = true;
    for (u32 reason = 0; reason < REASON_SLOTS; reason++) {
        u64 exits = 0;
        for (u32 bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
            exits += h->bucket[reason][bucket];
        const volatile struct reason_counter *c = &s->reason[reason];
        if (c->count == count[reason] && c->cycles == cycles[reason] && c->count == exits)
            continue;
        note("reason %u: %lu exits %lu cycles, at sites %lu and %lu, in the histogram %lu", reason,
             c->count, c->cycles, count[reason], cycles[reason], exits);
        right = false;
    }
    return right;
}

/* More sites than any table of the tests has rows. */
static void test_overflow(void)
{
    const volatile struct site_table *t = table(0);
    u64 before = t->other[EXIT_CPUID].count;
    for (u32 i = 0; i < 2 * t->rows + 64; i++)
        cpuid(LEAF, i);
    bool full = t->used > t->rows / 2 && t->other[EXIT_CPUID].count > before;
    tally_ok(full, "what a full table has no row for is in 'other'");
    tally_ok(sums_are_right(), "... and still all adds up");
}

static const volatile struct trace_record *newest(const volatile struct trace_log *log)
{
    return &log->record[(log->written - 1) % log->rows];
}

static void test_trace(void)
{
    const volatile struct trace_log *log = part(WINDOW_TRACE, 0);
    u64 all = 0;
    struct run r = {.mode = MODE_REAL, .code = CODE(cpuid_at_2), .gpr = {[RAX] = LEAF}};
    const volatile struct statistics *s = part(WINDOW_COUNTERS, 0);
    for (u32 reason = 0; reason < REASON_SLOTS; reason++)
        all += s->reason[reason].count;
    tally_ok(log->written == all, "the trace has all exits");
    run_uncounted(&r);
    bool found = false;
    for (u64 i = log->written; i-- > 0 && log->written - i < 64;) {
        const volatile struct trace_record *at = &log->record[i % log->rows];
        found |= at->reason == EXIT_CPUID && at->detail == LEAF && at->rip == LOW_MEMORY + 2 &&
                 at->mode == SITE_REAL << SITE_MODE_SHIFT && at->vcpu == 0;
    }
    tally_ok(found, "an exit is a record with its reason, detail, address and mode");

    cpuid(LEAF, 0x1234567);
    u64 last_time = newest(log)->time;
    tally_ok(newest(log)->detail == (0x1234567ull << 32 | LEAF), "the newest is the last");
    while (log->written < log->rows)
        cpuid(LEAF, 0);
    struct trace_record end = log->record[log->rows - 1];
    cpuid(LEAF, 0x89ABCDE);
    bool kept = log->record[log->rows - 1].time == end.time;
    bool turned = log->record[0].detail == (0x89ABCDEull << 32 | LEAF);
    tally_ok(kept && turned == log->last && log->written == log->rows + 1,
             "a full trace keeps the %s", log->last ? "newest exits" : "oldest exits");
    tally_ok(end.time > last_time, "time grows");
}

static volatile u32 stop;

static void make_exits(struct cpu *self)
{
    (void)self;
    while (!stop) {
        cpuid(LEAF, 0);
        for (u32 i = 0; i < 10000 && !stop; i++) /* or nobody reads the whole in between */
            ;
    }
}

/* A reader sees the sequence even and the same before and after: what lies between is whole. */
static bool read_whole(u32 vcpu, u64 *sites, u64 *exits)
{
    const volatile struct site_table *t = table(vcpu);
    const volatile struct histograms *h = part(WINDOW_HISTOGRAMS, vcpu);
    for (u32 attempt = 0; attempt < 100000; attempt++) {
        u64 sequence = t->sequence;
        *sites = *exits = 0;
        for (u64 i = 0; i < t->rows; i++)
            if (t->site[i].key.used && t->site[i].key.reason == EXIT_CPUID)
                *sites += t->site[i].counter.count;
        for (u32 bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++)
            *exits += h->bucket[EXIT_CPUID][bucket];
        if (!(sequence & 1) && sequence == t->sequence)
            return true;
    }
    return false;
}

static void test_reader(void)
{
    u64 sites = 0, exits = 0;
    if (!smp_start_all() || smp_count < 2) {
        skip("one CPU", "tally: a reader while another CPU counts");
        return;
    }
    stop = 0;
    smp_order(&smp_cpus[1], make_exits);
    bool whole = true;
    for (u32 i = 0; i < 20; i++)
        whole &=
            read_whole(1, &sites, &exits) && sites + table(1)->other[EXIT_CPUID].count == exits;
    stop = 1;
    tally_ok(smp_done(&smp_cpus[1]) && whole && sites, "a reader while another CPU counts");
}

static void test_known_sites(void)
{
    test_code((struct code)CODE(cpuid_at_2), 2, EXIT_CPUID, (u64)SUBLEAF << 32 | LEAF, "CPUID",
              true, LEAF, SUBLEAF);
    if (tally_profile() != PROFILE_MINIMAL) {
        test_code((struct code)CODE(in_at_1), 1, EXIT_IO_INSTRUCTION, IN_80, "IN", true, 0, 0);
        test_code((struct code)CODE(rdmsr_at_1), 1, EXIT_RDMSR, IA32_APIC_BASE, "RDMSR", false, 0,
                  IA32_APIC_BASE);
    }
}

void test_sites(void)
{
    w = under_tally() ? window_of_tally() : NULL;
    if (!w || !table(0)) {
        note("nothing is recorded");
        return;
    }
    if (table(0)->rows > 1024) /* else they may be among the others */
        test_known_sites();
    tally_ok(sums_are_right(), "sites and histograms of each reason add up to its counter");
    if (part(WINDOW_TRACE, 0))
        test_trace();
    if (table(0)->rows <= 1024) {
        test_reader();
        test_overflow();
    }
}
