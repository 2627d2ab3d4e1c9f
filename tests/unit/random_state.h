/* Random guest states that hardware can leave behind at an exit. */
#ifndef TALLY_TESTS_RANDOM_STATE_H
#define TALLY_TESTS_RANDOM_STATE_H

#include "random_source.h"
#include "x86/vmx.h"

#define SHADOW (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)

extern u32 reason; /* of the exit */

enum { KIND_FAULT, KIND_TRAP, KIND_ASYNC, KIND_ENTRY, KIND_NONE };
bool is_kind(unsigned kind);
/* The exit may come while an event is being delivered. */
bool may_interrupt_delivery(void);

/* Puts the fake machine into a state in which it exits for this reason: from the state that the
 * last exit left if that can be, else from that of a new guest. */
void random_exit(void);

/* ---- random_guest.c ---- */

u64 random_address(void); /* linear, or what else a register may hold */
void random_mode(void);   /* another guest */
/* What the guest may have done since: control registers, segments, flags, what lies in memory. */
void random_run(void);
/* In protected mode: a GDT with segments, tasks and tables, and what TSSs of it say. */
void random_tables(void);
/* The byte of an instruction that the exit is for, at RIP. */
void random_code(u32 for_reason);

#endif
