/*
 * What every vCPU counts. Only its own CPU writes, without locks; readers add up all vCPUs.
 * The cycles are added in exits/entry.asm, as the last thing before the entry.
 */
#ifndef TALLY_STATS_COUNTERS_H
#define TALLY_STATS_COUNTERS_H

#include "window_layout.h"

/* No exits yet. */
void statistics_clear(struct statistics *s);

/* Adds `part` to `sum`, which starts as NO_EXITS. The part's CPU may go on counting meanwhile. */
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
