/* What Tally has counted at one moment, in the layout of the window, wherever it was read from. */
#ifndef TALLY_GUEST_READING_H
#define TALLY_GUEST_READING_H

#include "stats/window.h"
#include <time.h>

struct registers {
    u32 eax, ebx, ecx, edx;
};

struct reading {
    struct timespec time;
    struct window *window; /* a copy; without this program's own CPUIDs */
};

/* CPUID, counted as one of the program's own exits. */
struct registers cpuid(u32 leaf, u32 subleaf);
extern u64 own_cpuids;

/* Whether Tally answers, also where announce=no hides it. */
bool under_tally(void);

/* Finds the window; NULL, or why the leaves are read instead. */
const char *window_find(void);
/* Parts besides the counters, which are always read. */
#define PART(kind) (1u << WINDOW_##kind)

/* A copy of these parts of the window. NULL: it was not found. */
struct window *window_take(unsigned parts);
/* Leaves of this copy one vCPU. */
void window_of_one(struct window *w, u32 vcpu);
/* The counters alone, by the leaves, as a window of one vCPU. */
struct window *leaves_take(void);

struct reading reading_take(unsigned parts);
/* Leaves in `after` what happened since `before`. The least and the most cycles stay. */
void reading_subtract(struct reading *after, const struct reading *before);
void reading_free(struct reading *r);
double seconds_between(const struct timespec *from, const struct timespec *to);

void *take_memory(size_t size); /* zeroed pages; ends the program where there are none */

#endif
