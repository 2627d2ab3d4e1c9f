#include "stats/timeline.h"
#include "lib/print.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "stats/counters.h"
#include "stats/leaves.h"

/*
 * A record in the buffer, numbers as base-128 varints, lowest digit first, so that a quiet
 * interval takes some ten bytes:
 *   u8 number of reasons whose counts changed, or MARK
 *   varint ticks since the record before
 *   sample: (u8 reason, varint increase) for each;  mark: the name
 */
#define MARK 0xFF
#define VARINT_MAX 10
#define RECORD_MAX (1 + VARINT_MAX + REASON_SLOTS * (1 + VARINT_MAX))
_Static_assert(REASON_SLOTS < MARK, "a sample's first byte is never MARK");

u64 timeline_due = ~0ull;

static struct {
    u8 *start, *next, *end;
    u64 interval;
    u64 last_tsc;              /* of the newest record, from the guest's start */
    u64 counted[REASON_SLOTS]; /* at the newest sample */
    u64 full_tsc;
    u32 marks, lost; /* lost: records for which there was no room */
    struct spinlock lock;
} timeline;

void timeline_init(void *buffer, size_t size, u64 interval)
{
    memset(&timeline, 0, sizeof(timeline));
    timeline.start = timeline.next = buffer;
    timeline.end = timeline.start + size;
    timeline.interval = interval ? interval : 1;
    timeline_due = 0;
}

static void put_varint(u64 value)
{
    for (; value >= 0x80; value >>= 7)
        *timeline.next++ = value | 0x80;
    *timeline.next++ = value;
}

static u64 get_varint(const u8 **from)
{
    u64 value = 0;
    unsigned shift = 0;
    do
        value |= (u64)(**from & 0x7F) << shift, shift += 7;
    while (*(*from)++ & 0x80);
    return value;
}

/* Begins a record; false if there is no room for one any more. */
static bool begin_record(u8 kind, u64 now)
{
    u64 tsc = now - run_facts.start_tsc;
    if (timeline.end - timeline.next < RECORD_MAX) {
        if (timeline.lost++ == 0)
            timeline.full_tsc = tsc;
        return false;
    }
    if (tsc < timeline.last_tsc) /* the CPUs' TSCs may differ by a little */
        tsc = timeline.last_tsc;
    *timeline.next++ = kind;
    put_varint(tsc - timeline.last_tsc);
    timeline.last_tsc = tsc;
    return true;
}

static void record_sample(u64 now)
{
    u8 *changed = timeline.next;
    if (!begin_record(0, now))
        return;
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        u64 count = statistics_of_reason(reason).count;
        if (count == timeline.counted[reason])
            continue;
        ++*changed;
        *timeline.next++ = reason;
        put_varint(count - timeline.counted[reason]);
        timeline.counted[reason] = count;
    }
}

void timeline_sample(u64 now)
{
    if (!spin_try_lock(&timeline.lock))
        return;
    if (now >= timeline_due) {
        timeline_due = now - (now - run_facts.start_tsc) % timeline.interval + timeline.interval;
        record_sample(now);
    }
    spin_unlock(&timeline.lock);
}

u32 timeline_mark(const char *name, u64 now)
{
    if (!timeline.start)
        return 0;
    spin_lock(&timeline.lock);
    u32 marks = ++timeline.marks;
    if (begin_record(MARK, now)) {
        for (unsigned i = 0; i < MARK_NAME; i++)
            *timeline.next++ = *name ? *name++ : '\0';
    }
    spin_unlock(&timeline.lock);
    return marks;
}

static void print_counts(const u64 *counts)
{
    const char *separator = "";
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        if (!counts[reason])
            continue;
        print("%s\"%u\":%lu", separator, reason, counts[reason]);
        separator = ",";
    }
}

void timeline_print(void)
{
    static u64 counts[REASON_SLOTS];
    unsigned samples = 0;
    u64 tsc = 0;

    memset(counts, 0, sizeof(counts));
    for (const u8 *from = timeline.start; from < timeline.next;) {
        u8 kind = *from++;
        tsc += get_varint(&from);
        if (kind == MARK) {
            print("{\"mark\":");
            print_quoted((const char *)from, MARK_NAME);
            print(",\"tsc\":%lu}\n", tsc);
            from += MARK_NAME;
            continue;
        }
        while (kind--) {
            u8 reason = *from++;
            counts[reason] += get_varint(&from);
        }
        print("{\"sample\":%u,\"tsc\":%lu,\"exits\":{", samples++, tsc);
        print_counts(counts);
        print("}}\n");
    }
    if (timeline.lost)
        print("{\"timeline\":\"full\",\"tsc\":%lu,\"lost\":%u}\n", timeline.full_tsc,
              timeline.lost);
}
