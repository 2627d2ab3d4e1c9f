/*
 * One exit on fake_machine.c: how it begins, and how it must have ended. Every assertion but
 * assert_stopped() also checks that the CPU would enter the guest's state.
 *
 *   start_code(EXIT_URDMSR, CODE("\xF2\x0F\x38\xF8\xC8"));
 *   fake_vcpu.gpr[RCX] = IA32_VMX_BASIC;
 *   assert_faulted(INJECTED_GP);
 *
 * For tests/gate/reasons.t each of them notes the reason in $REASONS/host, if there is $REASONS.
 */
#ifndef TALLY_TESTS_ONE_EXIT_H
#define TALLY_TESTS_ONE_EXIT_H

#include "fake_machine.h"

#define INJECTED(type, vector) ((u32)INTERRUPTION_VALID | (type) << 8 | (vector))
#define INJECTED_UD INJECTED(3, VECTOR_UD)
#define INJECTED_PF (INJECTED(3, VECTOR_PF) | (u32)INTERRUPTION_ERROR_CODE)
#define INJECTED_GP (INJECTED(3, VECTOR_GP) | (u32)INTERRUPTION_ERROR_CODE)

/* A new machine, whose guest left with this reason word, qualification and instruction length. */
void start(u32 word, u64 qualification, unsigned length);
/* An exit of the instruction with these bytes: CODE("\x0F\xA2"). */
void start_code(u32 reason, const char *code, unsigned length);
#define CODE(bytes) bytes, sizeof(bytes) - 1

/* How often the machine counted a reason; those beyond the table share one counter. */
u64 count_of(u32 reason);

/* The instruction faulted: RIP stays, the exception is injected. */
void assert_faulted(u32 injected);
/* The instruction of `length` bytes is over. */
void assert_advanced(unsigned length);
/* The guest goes on where it was, without an exception. */
void assert_resumed(void);
/* The CPU would enter the guest's state as it is now. */
void assert_can_enter(void);
/* The guest was stopped, and `said` is part of what was printed. */
void assert_stopped(const char *said);

#endif
