/* Time by the time-stamp counter. */
#ifndef TALLY_PLATFORM_TSC_H
#define TALLY_PLATFORM_TSC_H

#include "types.h"

/* Measures the TSC against the 8254 timer, 10 ms long; without one, asks CPUID. */
void tsc_init(void);

extern u32 tsc_khz; /* 0: unknown */

void tsc_wait_us(u32 microseconds);

#endif
