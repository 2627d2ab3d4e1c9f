/* Exits by all CPUs at once, each of which counts its own: what Tally tells must be their sum. */
#ifndef GUEST_SMP_EXITS_H
#define GUEST_SMP_EXITS_H

#include "kernel/smp.h"

/* Before the other CPUs start. */
void smp_exits_init(void);

/* One exit, in another way each time. */
void make_exit(struct cpu *self);

/* All CPUs make `count` exits each; compares with the leaves. Notes what the report must say. */
void test_exits(u32 count);

#endif
