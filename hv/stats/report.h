/* The report on the console, as a table and as JSON lines. docs/statistics.md has the format. */
#ifndef TALLY_STATS_REPORT_H
#define TALLY_STATS_REPORT_H

#include "types.h"

enum report_format { REPORT_TABLE = 1, REPORT_JSON = 2, REPORT_PER_CPU = 4 };

/* Prints in the formats asked for (a set of enum report_format; 0 prints nothing). */
void report_print(unsigned formats);

#endif
