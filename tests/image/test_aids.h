/*
 * What only tests need, in the test image only (option `test=`): exits whose controls Tally leaves
 * off, and broken states.
 */
#ifndef TALLY_IMAGE_TEST_AIDS_H
#define TALLY_IMAGE_TEST_AIDS_H

#include "options.h"
#include "vcpu.h"

/* Each with its word and what arms it, or NULL: hooks.c sees to it. */
/* clang-format off */
#define TEST_AIDS(AID)                                                                             \
    AID(ENTRY_FAIL_GUEST_STATE, "entry-guest-state", break_guest_state)                            \
    AID(ENTRY_FAIL_MSR_LOAD, "entry-msr-load", break_msr_load)                                     \
    AID(TPR_THRESHOLD, "tpr-threshold", arm_tpr_threshold)                                         \
    AID(VIRTUAL_APIC, "virtual-apic", arm_virtual_apic) /* APIC access, write, virtualized EOI */  \
    AID(EPT_MISCONFIG, "ept-misconfig", arm_ept_misconfiguration)                                  \
    AID(PREEMPTION_TIMER, "preemption-timer", arm_preemption_timer)                                \
    AID(PML, "pml", arm_pml)                                                                       \
    AID(SPP, "spp", arm_spp)                                                                       \
    AID(MTF, "mtf", arm_mtf)                                                                       \
    AID(SMX, "smx", arm_smx)                                                                       \
    AID(ENTRY_RULES, "entry-rules", NULL)                                                          \
    AID(STACK_OVERFLOW, "stack-overflow", arm_stack_overflow)                                      \
    AID(ENTRY_FAIL_LATE, "entry-fail-late", NULL) /* at a VMCALL, while other CPUs run as well */  \
    AID(ODD_CPU, "odd-cpu", NULL) /* the other CPUs seem to differ from the first */               \
    AID(MTF_STEP, "mtf-step", arm_mtf_step)
/* clang-format on */

#define TEST_AID_BIT(name, word, arm) BIT_OF_##name,
enum { TEST_AIDS(TEST_AID_BIT) };
#define TEST_AID(name, word, arm) TEST_##name = 1 << BIT_OF_##name,
enum test_aid { TEST_AIDS(TEST_AID) };

/* Arms `aids` (a set of enum test_aid) on the boot CPU's vCPU, whose VMCS is otherwise ready.
 * fatal() where the CPU lacks the control. */
void test_aids_arm(struct vcpu *vcpu, u32 aids);

/* On any CPU, until the page below its stack is hit. */
void overflow_stack(void);

/* Puts the EPT entry that an aid spoiled back in order; false if `physical` is not in its page. */
bool repair_spoiled_page(u64 physical);

/* The aid `entry-rules`, in break_rules.c: VM-entry rules broken one by one, to see each explained.
 */

/* Repairs what the last call broke and breaks the next rule. False once there is none left. */
bool break_next_rule(const struct vcpu *vcpu);

#endif
