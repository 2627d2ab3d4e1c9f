#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

/*
 * Prints what one instruction costs with all that it sets off, in TSC ticks, least of many tries,
 * as JSON lines: {"bench":"cpuid","profile":"minimal","ticks":N}.
 */
void bench(void);

#endif
