/* The test aid `entry-rules`: breaks VM-entry rules one by one, to see each of them explained. */
#ifndef TALLY_TEST_BREAK_RULES_H
#define TALLY_TEST_BREAK_RULES_H

#include "vcpu.h"

/*
 * Repairs what the last call broke and breaks the next rule; at the end takes the chore away and
 * the guest runs on. While the chore is there, a failed entry is said and not the end of the run.
 */
void break_next_rule(struct vcpu *vcpu);

#endif
