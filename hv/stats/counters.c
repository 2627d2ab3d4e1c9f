#include "stats/counters.h"
#include "lib/string.h"
#include "stats/window.h"

const struct window *window;
struct run_facts *run_facts;
struct statistics *statistics;
struct timeline_log *timeline_log;
const char *const profile_names[] = {"minimal", "kvm", "all"};

void statistics_clear(struct statistics *s)
{
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        s->reason[i] = NO_EXITS;
}

void counter_add(struct reason_counter *sum, const struct reason_counter *part)
{
    const volatile struct reason_counter *now = part;
    u64 min = now->min, max = now->max;

    sum->count += now->count;
    sum->cycles += now->cycles;
    sum->min = min < sum->min ? min : sum->min;
    sum->max = max > sum->max ? max : sum->max;
}

struct reason_counter statistics_of_reason(unsigned reason)
{
    struct reason_counter sum = NO_EXITS;
    for (unsigned vcpu = 0; vcpu < run_facts->vcpus; vcpu++)
        counter_add(&sum, &statistics[vcpu].reason[reason]);
    if (sum.min == NO_EXITS.min)
        sum.min = 0;
    return sum;
}

/* One word of every slot; nothing else is read, since guests ask for sums again and again. */
static u64 total_of(size_t word)
{
    u64 sum = 0;
    for (unsigned vcpu = 0; vcpu < run_facts->vcpus; vcpu++) {
        const char *at = (const char *)statistics[vcpu].reason + word;
        const char *end = at + sizeof(statistics[vcpu].reason);
#pragma GCC unroll 4
        for (; at < end; at += sizeof(struct reason_counter))
            sum += *(const volatile u64 *)at;
    }
    return sum;
}

u64 statistics_exits(void)
{
    return total_of(offsetof(struct reason_counter, count));
}

u64 statistics_cycles(void)
{
    return total_of(offsetof(struct reason_counter, cycles));
}

enum kind { FAULT, TRAP, ASYNC, ENTRY, NONE };

static const u8 kinds[] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = kind,
#include "exit_reasons.def"
};

/* A pointer to each would be half as long as the name. */
static const char names[] =
#define EXIT_REASON(number, name, kind, delivery, handler) #name "\0"
#include "exit_reasons.def"
    "UNDEFINED";

const char *reason_name(unsigned reason)
{
    return nth_word(names, reason < EXIT_REASONS ? reason : EXIT_REASONS);
}

bool reason_is_defined(u32 reason)
{
    return reason < EXIT_REASONS && kinds[reason] != NONE;
}
