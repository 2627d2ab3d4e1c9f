/* What is told of the counts: the report on the console, as a table and as JSON lines, and the
 * CPUID leaves. docs/statistics.md has both. */
#ifndef TALLY_STATS_REPORT_H
#define TALLY_STATS_REPORT_H

#include "types.h"

enum report_format { REPORT_TABLE = 1, REPORT_JSON = 2, REPORT_PER_CPU = 4 };

/* Prints in the formats of run_facts; `tsc`: ticks since the guest's start; `more` prints JSON
 * lines before the last; NULL: nothing. */
void report_print(u64 tsc, void (*more)(void));

/* The sums and the most frequent reasons, in at most so many lines of at most 80 letters, the sums
 * alone in fewer than 4; nothing for stats=none. */
void report_print_short(unsigned lines);

/* Whether `leaf` is one of Tally's own statistics leaves, 0x4FFFFF00 to 0x4FFFFFFF. */
static inline bool is_statistics_leaf(u32 leaf)
{
    return leaf >> 8 == 0x4FFFFF;
}

/* Answers a statistics leaf; `in` has EAX to EDX as the guest gave them.
 * Unassigned leaves of the range answer zero in all four. */
struct cpuid_result; /* x86/instructions.h */
struct cpuid_result statistics_leaf(const struct cpuid_result *in);

#endif
