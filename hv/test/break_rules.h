/* The test aid `entry-rules`: breaks VM-entry rules one by one, to see each of them explained. */
#ifndef TALLY_TEST_BREAK_RULES_H
#define TALLY_TEST_BREAK_RULES_H

#include "vcpu.h"

/* Repairs what the last call broke and breaks the next rule. False once there is none left. */
bool break_next_rule(const struct vcpu *vcpu);

#endif
