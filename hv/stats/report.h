/* The report on the console, as a table and as JSON lines. docs/statistics.md has the format. */
#ifndef TALLY_STATS_REPORT_H
#define TALLY_STATS_REPORT_H

#include "types.h"

enum report_format { REPORT_TABLE = 1, REPORT_JSON = 2, REPORT_PER_CPU = 4 };

/* Prints in the formats of run_facts; `tsc`: ticks since the guest's start. */
void report_print(u64 tsc, void (*const more[])(void));

/* The most frequent reasons, in at most so many lines of at most 80 letters; nothing for
 * stats=none, or in fewer than 4. */
void report_print_short(unsigned lines);

#endif
