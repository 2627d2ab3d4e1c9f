#include "kernel/statistics.h"
#include "x86/instructions.h"

#define UNDEFINED_REASON 35

static bool tally;
static enum tally_profile profile;

void statistics_init(void)
{
    struct cpuid_result answer = cpuid(LEAF_REASON_EXITS, UNDEFINED_REASON);

    tally = !answer.eax && !answer.ebx && !answer.ecx && answer.edx == TALLY_UNDEFINED_REASON;
    if (tally)
        profile = cpuid(LEAF_INFO, 0).ecx;
}

bool under_tally(void)
{
    return tally;
}

enum tally_profile tally_profile(void)
{
    return profile;
}

const char *profile_name(void)
{
    static const char *const names[] = {"minimal", "kvm", "all"};

    return tally ? names[profile] : "bare";
}

u32 reason_exits(u32 reason)
{
    return cpuid(LEAF_REASON_EXITS, reason).eax;
}

static u64 cycles(u32 leaf, u32 reason)
{
    struct cpuid_result answer = cpuid(leaf, reason);

    return (u64)answer.ebx << 32 | answer.ecx;
}

u64 reason_cycles(u32 reason)
{
    return cycles(LEAF_REASON_CYCLES, reason);
}

u32 all_exits(void)
{
    return cpuid(LEAF_EXITS, 0).eax;
}

u64 all_cycles(void)
{
    return cycles(LEAF_CYCLES, 0);
}

void read_counts_before(u32 reason, struct exit_counts *counts)
{
    *counts = (struct exit_counts){0};
    if (!tally)
        return;
    counts->reason_cycles = reason_cycles(reason);
    counts->reason_exits = reason_exits(reason);
    counts->all_exits = all_exits();
}

void read_counts_after(u32 reason, struct exit_counts *counts)
{
    *counts = (struct exit_counts){0};
    if (!tally)
        return;
    counts->all_exits = all_exits() - 1;
    counts->reason_exits = reason_exits(reason);
    counts->reason_cycles = reason_cycles(reason);
    if (reason == EXIT_CPUID)
        counts->reason_exits -= 3; /* this question, and twice the one for all exits */
}

const volatile struct window *window_of_tally(void)
{
    struct cpuid_result r = cpuid(LEAF_WINDOW, 0);
    return r.eax ? (const volatile struct window *)((u64)r.ebx << 32 | r.ecx) : NULL;
}

u64 window_count(const volatile struct window *w, enum exit_reason reason)
{
    const volatile struct statistics *s =
        (const volatile void *)((u64)w + w->part[WINDOW_COUNTERS].offset);
    return s->reason[reason].count;
}
