/* The CPUID leaves that answer statistics. docs/statistics.md is the contract. */
#ifndef TALLY_STATS_LEAVES_H
#define TALLY_STATS_LEAVES_H

#include "types.h"
#include "x86/instructions.h"

/* Whether `leaf` is one of Tally's own statistics leaves, 0x4FFFFF00 to 0x4FFFFFFF. */
static inline bool is_statistics_leaf(u32 leaf)
{
    return leaf >> 8 == 0x4FFFFF;
}

/* Answers a statistics leaf; `in` has EAX to EDX as the guest gave them.
 * Unassigned leaves of the range answer zero in all four. */
struct cpuid_result statistics_leaf(const struct cpuid_result *in);

#endif
