/* What the tests of several CPUs share. */
#ifndef GUEST_SMP_TESTS_H
#define GUEST_SMP_TESTS_H

#include "kernel/smp.h"
#include "kernel/traps.h"

/* Sets the handlers and starts the other CPUs. False if there are none. */
bool smp_begin(void);

/* smp_start.c */
bool smp_found_after_init(void);
void smp_count_for_ever(struct cpu *self); /* an order */
void smp_test_sipi_to_running_cpu(void);
/* `busy` is what the CPU is doing, NULL: waiting for an order. */
void smp_test_restarts(const char *what, void (*busy)(struct cpu *self));

/* smp_interrupts.c */
void smp_on_call(struct trap_frame *frame);
void smp_on_nmi(struct trap_frame *frame);
/* Sets to zero what the handlers have counted. */
void smp_forget(void);
void smp_test_calls(void);
void smp_test_sleepers(void);
void smp_test_nmis(void);

/* smp_shoot_down.c */
void smp_on_shoot_down(struct trap_frame *frame);
void smp_test_shoot_downs(void);

#endif
