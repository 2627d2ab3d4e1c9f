/*
 * What every vCPU counts. Only its own CPU writes, without locks; readers add up all vCPUs.
 * The cycles are added in vmx/entry.asm, as the last thing before the entry.
 */
#ifndef TALLY_STATS_COUNTERS_H
#define TALLY_STATS_COUNTERS_H

#include "tally.h"

/* One exit reason on one vCPU. Cycles are TSC ticks. */
struct reason_counter {
    u64 count, cycles, min, max; /* min starts as ~0 */
};

#define REASON_SLOTS (EXIT_REASONS + 1) /* the last counts all numbers above the table */

struct statistics {
    struct reason_counter reason[REASON_SLOTS];
};

#define STATISTICS_VCPUS_MAX 256

/* Clears `s` and tells the readers where it is; for one vCPU after the other, before it runs. */
void statistics_register(struct statistics *s);
unsigned statistics_vcpus(void);
const struct statistics *statistics_of(unsigned vcpu);

/* Adds `part` to `sum`, which starts as NO_EXITS. Safe while the part's own CPU goes on counting.
 */
void counter_add(struct reason_counter *sum, const struct reason_counter *part);
#define NO_EXITS ((struct reason_counter){.min = ~0ull})

/* The sum over all vCPUs; `reason` is a slot. min is 0 where no exit has been timed yet. */
struct reason_counter statistics_of_reason(unsigned reason);

/* All exits and all cycles, of all vCPUs. */
u64 statistics_exits(void);
u64 statistics_cycles(void);

/* Printed name of a reason; "UNDEFINED" for numbers above the table. */
const char *reason_name(unsigned reason);
/* Whether the SDM defines the number. */
bool reason_is_defined(u32 reason);

#endif
