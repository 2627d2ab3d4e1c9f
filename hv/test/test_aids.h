/*
 * What only tests need, in the test image only (option `test=`): exits whose controls Tally leaves
 * off, and broken states.
 */
#ifndef TALLY_TEST_TEST_AIDS_H
#define TALLY_TEST_TEST_AIDS_H

#include "options.h"
#include "vcpu.h"

enum test_aid {
    TEST_ENTRY_FAIL_GUEST_STATE = 1 << 0,
    TEST_ENTRY_FAIL_MSR_LOAD = 1 << 1,
    TEST_TPR_THRESHOLD = 1 << 2,
    TEST_VIRTUAL_APIC = 1 << 3, /* APIC access, APIC write, virtualized EOI */
    TEST_EPT_MISCONFIG = 1 << 4,
    TEST_PREEMPTION_TIMER = 1 << 5,
    TEST_PML = 1 << 6,
    TEST_SPP = 1 << 7,
    TEST_MTF = 1 << 8,
    TEST_SMX = 1 << 9,
    TEST_ENTRY_RULES = 1 << 10, /* see test/break_rules.h */
    TEST_STACK_OVERFLOW = 1 << 11,
    TEST_ENTRY_FAIL_LATE = 1 << 12, /* once the guest executes VMCALL and other CPUs run as well */
    TEST_ODD_CPU = 1 << 13,         /* the other CPUs seem to differ from the first */
    TEST_MTF_STEP = 1 << 14,
};

/* Arms `aids` (a set of enum test_aid) on the boot CPU's vCPU, whose VMCS is otherwise ready.
 * fatal() where the CPU lacks the control. */
void test_aids_arm(struct vcpu *vcpu, u32 aids);

/* On any CPU, until the page below its stack is hit. */
void overflow_stack(void);

/* Puts the EPT entry that an aid spoiled back in order; false if `physical` is not in its page. */
bool repair_spoiled_page(u64 physical);

#endif
