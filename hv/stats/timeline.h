/* When the exits happened: the counts of all reasons at intervals, and marks of the guest's. */
#ifndef TALLY_STATS_TIMELINE_H
#define TALLY_STATS_TIMELINE_H

#include "types.h"

/* TSC at which the next sample is due, while there is a time line. */
extern u64 timeline_due;

/* Starts the time line with the next exit, every `interval` ticks, in the
 * window's part of `size` bytes. */
void timeline_init(size_t size, u64 interval);

/* Notes the sums over all vCPUs, if that is due. Any CPU may call it: one takes the sample. */
void timeline_sample(u64 now);

/* One more mark is on its way: how many there have been, 0 while the time line is off. */
u32 timeline_count_mark(void);

/* Notes a mark, of whose name MARK_NAME letters are read at most, after a sample of its own. */
void timeline_mark(const char *name, u64 now);

/* The last sample, when all other CPUs have stopped. */
void timeline_end(u64 now);

/* Prints all of it as JSON lines; nothing if it is off. */
void timeline_print(void);

#endif
