/* Whether Tally's statistics add up, and whether this kernel is still itself. */
#include "fuzz/fuzz.h"
#include "kernel/memory_map.h"
#include "kernel/statistics.h"
#include "x86/instructions.h"

extern const u8 image_start[], code_end[]; /* linker.ld */

static u64 code_before, counts_before[EXIT_REASONS], cycles_before[EXIT_REASONS];

static u64 pair(u32 leaf, u32 reason)
{
    struct cpuid_result answer = cpuid(leaf, reason);

    return (u64)answer.ebx << 32 | answer.eax;
}

static bool decreased(u64 *before, u64 now)
{
    bool smaller = now < *before;

    *before = now;
    return smaller;
}

/* The questions are exits themselves, for CPUID: its counters are read last. */
static const char *check_counts(void)
{
    u64 sum = 0;

    for (u32 reason = 0; reason < EXIT_REASONS; reason++)
        if (reason != EXIT_CPUID) {
            u64 now = pair(LEAF_REASON_EXITS64, reason);

            sum += now;
            if (decreased(&counts_before[reason], now))
                return "a count went down";
        }
    u64 own = pair(LEAF_REASON_EXITS64, EXIT_CPUID);
    u32 all = all_exits();

    if (decreased(&counts_before[EXIT_CPUID], own))
        return "the count of CPUID went down";
    return all == (u32)(sum + own + 1) ? NULL : "the counts do not add up to all exits";
}

static const char *check_cycles(void)
{
    u64 sum = 0;

    for (u32 reason = 0; reason < EXIT_REASONS; reason++)
        if (reason != EXIT_CPUID) {
            u64 now = reason_cycles(reason);
            u64 least = pair(LEAF_REASON_MIN, reason), most = pair(LEAF_REASON_MAX, reason);

            sum += now;
            if (decreased(&cycles_before[reason], now))
                return "cycles went down";
            if (!counts_before[reason])
                continue;
            if (least > most || most > now || now > most * counts_before[reason])
                return "least, most and all cycles contradict each other";
        }
    u64 own = reason_cycles(EXIT_CPUID);
    u64 all = all_cycles();
    u64 last = all - sum - own; /* the question for CPUID's cycles itself */

    if (decreased(&cycles_before[EXIT_CPUID], own))
        return "cycles of CPUID went down";
    return last <= pair(LEAF_REASON_MAX, EXIT_CPUID) ? NULL : "the cycles do not add up";
}

/* Snippets write to the lower half, and may find there what they wrote; never to the upper one. */
static const char *check_hidden_memory(void)
{
    const struct memory_range *hidden = memory_map_hidden();

    if (!hidden)
        return "Tally's memory is not in the map";
    u64 half = (hidden->end - hidden->base) / 2;
    const volatile u64 *page =
        (const u64 *)(hidden->base + half + align_down(fuzz_below((u32)half), PAGE_SIZE));

    for (u32 i = 0; i < PAGE_SIZE / sizeof(*page); i++)
        if (page[i] != ~0ull)
            return "Tally's memory shows";
    return NULL;
}

static u64 checksum(void)
{
    u64 sum = 0;

    for (u64 at = (u64)image_start; at < (u64)code_end; at += sizeof(u64))
        sum = (sum << 1 | sum >> 63) ^ *(const u64 *)at;
    return sum;
}

void fuzz_checks_init(void)
{
    code_before = checksum();
}

const char *fuzz_check(void)
{
    const char *wrong = NULL;

    if (checksum() != code_before)
        wrong = "this kernel's code has changed";
    if (!wrong && under_tally())
        wrong = check_counts();
    if (!wrong && under_tally())
        wrong = check_cycles();
    if (!wrong && under_tally())
        wrong = check_hidden_memory();
    return wrong;
}
