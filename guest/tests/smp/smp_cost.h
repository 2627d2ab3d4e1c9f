#ifndef GUEST_SMP_COST_H
#define GUEST_SMP_COST_H

/* Has all CPUs make exits at once and prints what one costs, in TSC ticks, mean of many, on the CPU
 * where it is least and where it is most: {"bench":"cpuid","cpus":4,"least":236.0,"most":236.1}. */
void measure_exits_at_once(void);

#endif
