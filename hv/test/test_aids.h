/*
 * Arms what only tests need (option `test=`): exits whose controls Tally leaves off, and broken
 * states. Nothing in here runs without the option.
 */
#ifndef TALLY_TEST_TEST_AIDS_H
#define TALLY_TEST_TEST_AIDS_H

#include "options.h"
#include "vcpu.h"

/* Arms `aids` (a set of enum test_aid) on the boot CPU's vCPU, whose VMCS is otherwise ready.
 * fatal() where the CPU lacks the control. */
void test_aids_arm(struct vcpu *vcpu, u32 aids);

/* On any CPU, until the page below its stack is hit. */
void overflow_stack(void);

/* Puts an EPT entry that an aid spoiled back in order; false if it is not one of these. */
bool test_aids_repair(u64 physical);

#endif
