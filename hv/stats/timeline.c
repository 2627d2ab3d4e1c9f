#include "stats/timeline.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "stats/counters.h"
#include "stats/window.h"

#define VARINT_MAX 10
#define RECORD_MAX (1 + VARINT_MAX + REASON_SLOTS * (1 + VARINT_MAX))

u64 timeline_due;

static struct {
    u8 *next, *end;
    u64 interval;
    u64 counted[REASON_SLOTS]; /* at the newest sample */
    u32 marks;
    struct spinlock lock;
} timeline;

void timeline_init(size_t size, u64 interval)
{
    memset(&timeline, 0, sizeof(timeline));
    memset(timeline_log, 0, sizeof(*timeline_log));
    timeline.end = (u8 *)timeline_log + size;
    timeline.interval = interval ? interval : 1;
    timeline_due = 0;
    atomic_store(&timeline.next, timeline_log->record); /* others may have exits by now */
}

static void put_varint(u64 value)
{
    for (; value >= 0x80; value >>= 7)
        *timeline.next++ = value | 0x80;
    *timeline.next++ = value;
}

/* Begins a record; false if there is no room for one any more. */
static bool begin_record(u8 kind, u64 now)
{
    u64 tsc = now - run_facts->start_tsc;
    if (timeline.end - timeline.next < RECORD_MAX) {
        if (timeline_log->lost++ == 0)
            timeline_log->full_tsc = tsc;
        return false;
    }
    if ((int64_t)(tsc - timeline_log->last_tsc) < 0) /* another TSC, or before the start */
        tsc = timeline_log->last_tsc;
    *timeline.next++ = kind;
    put_varint(tsc - timeline_log->last_tsc);
    timeline_log->last_tsc = tsc;
    return true;
}

static void record_sample(u64 now)
{
    const struct statistics *end = statistics + run_facts->vcpus;
    u8 *changed = timeline.next;
    if (!begin_record(0, now))
        return;
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        u64 count = 0; /* nothing else is read: the guest waits for it */
        for (const struct statistics *s = statistics; s < end; s++)
            count += *(const volatile u64 *)&s->reason[reason].count;
        if (count == timeline.counted[reason])
            continue;
        ++*changed;
        *timeline.next++ = reason;
        put_varint(count - timeline.counted[reason]);
        timeline.counted[reason] = count;
    }
    timeline_log->used = timeline.next - timeline_log->record; /* before this nobody sees it */
}

void timeline_sample(u64 now)
{
    if (!timeline.next || !spin_try_lock(&timeline.lock))
        return;
    if (now >= timeline_due) {
        timeline_due = now - (now - run_facts->start_tsc) % timeline.interval + timeline.interval;
        record_sample(now);
    }
    spin_unlock(&timeline.lock);
}

u32 timeline_count_mark(void)
{
    return timeline.next ? atomic_add(&timeline.marks, 1) + 1 : 0;
}

void timeline_mark(const char *name, u64 now)
{
    spin_lock(&timeline.lock);
    record_sample(now);
    if (begin_record(TIMELINE_MARK, now)) {
        for (unsigned i = 0; i < MARK_NAME; i++)
            *timeline.next++ = *name ? *name++ : '\0';
        timeline_log->used = timeline.next - timeline_log->record;
    }
    spin_unlock(&timeline.lock);
}

void timeline_end(u64 now)
{
    if (timeline.next)
        record_sample(now);
}
