/* The pages that hold what Tally counts; include/window_layout.h has their layout. */
#ifndef TALLY_STATS_WINDOW_H
#define TALLY_STATS_WINDOW_H

#include "window_layout.h"

/* Where its parts are, in Tally or in a program that has a copy. */
extern struct run_facts *run_facts;
extern struct statistics *statistics;     /* of each vCPU: run_facts->vcpus in all */
extern struct timeline_log *timeline_log; /* NULL: there is none */

/* How many pages the window of so many vCPUs takes; `timeline` in bytes, 0: none. */
u64 window_pages(unsigned vcpus, u64 timeline);

/* Makes a window of zeroed pages, which lie at `physical`. */
void window_init(void *pages, u64 physical, unsigned vcpus, u64 timeline);

/* Sets the pointers above. */
void window_open(struct window *window);

#endif
