/* The pages that hold what Tally counts; include/window_layout.h has their layout. */
#ifndef TALLY_STATS_WINDOW_H
#define TALLY_STATS_WINDOW_H

#include "sites_layout.h"

/* Where its parts are, in Tally or in a program that has a copy. */
extern const struct window *window;
extern struct run_facts *run_facts;
extern struct statistics *statistics;     /* of each vCPU: run_facts->vcpus in all */
extern struct timeline_log *timeline_log; /* NULL: there is none */

/* By enum tally_profile, as exits= has them. */
extern const char *const profile_names[];

/* How many pages the window of so many vCPUs takes; `sizes` are bytes of one copy, 0: not there. */
u64 window_pages(const u64 sizes[WINDOW_PARTS], u32 vcpus);

/* Makes a window of zeroed pages, which lie at `physical`. */
void window_init(void *pages, u64 physical, const u64 sizes[WINDOW_PARTS], u32 vcpus);

/* A vCPU's copy of a part; of one that is for all, copy 0. NULL: the part is not there. */
void *window_copy(const struct window *w, enum window_kind kind, u32 copy);

/* Sets the pointers above. */
void window_open(const struct window *of);

#endif
