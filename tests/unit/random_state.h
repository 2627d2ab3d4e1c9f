/* Random guest states that hardware can leave behind at an exit. */
#ifndef TALLY_TESTS_RANDOM_STATE_H
#define TALLY_TESTS_RANDOM_STATE_H

#include "types.h"
#include "x86/vmx.h"

#define SHADOW (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)

extern u64 random_state; /* not 0 */
u64 random64(void);
bool one_in(u64 n);

extern u32 reason; /* of the exit */

enum { KIND_FAULT, KIND_TRAP, KIND_ASYNC, KIND_ENTRY, KIND_NONE };
bool is_kind(unsigned kind);

/* Puts the fake machine into a state in which it exits for this reason. */
void random_exit(void);

#endif
