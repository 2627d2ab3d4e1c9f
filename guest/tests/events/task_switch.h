/* What the tests of task switches share: code with a task to switch to, and the state of both
 * tasks. */
#ifndef GUEST_TASK_SWITCH_H
#define GUEST_TASK_SWITCH_H

#include "kernel/descriptors.h"
#include "harness/instruction_test.h"
#include "harness/legacy.h"

/* The old task's instructions come first; the new task starts at NEW_TASK and notes TR in ECX. */
#define NEW_TASK 16
#define TASK_OPERAND(selector) "\n .long 0\n .word " #selector "\n"
#define JMP_FAR(selector) ".byte 0xEA" TASK_OPERAND(selector)  /* 7 bytes */
#define CALL_FAR(selector) ".byte 0x9A" TASK_OPERAND(selector) /* 7 bytes */
#define NEW_TASK_BEHIND(bytes) ".fill 16 - " #bytes ", 1, 0x90\n"
#define FAR_LENGTH 7
#define JMP_TASK JMP_FAR(0x88) NEW_TASK_BEHIND(7) "str ecx"
#define INT_GATE "int 0x41\n" NEW_TASK_BEHIND(2) "str ecx"
#define GATE_FOR_NMI "mov [esi], eax\n nop\n jmp 1f\n" NEW_TASK_BEHIND(5) "str ecx\n 1: nop"

#define OTHER_EAX 0x11223344
#define OTHER_ESI 0x55667788
#define OUTSIDE_GDT 0x1000
#define DESCRIPTOR_BUSY BIT(41)

/* Make a task ready to run (flat segments, a stack of its own, ring 0), and all as it was. */
void task_ready(struct run *run);
void task_restore(void);

/* As task_ready(), and NMIs go to that task; the NMI comes behind the instruction that sends it. */
void task_ready_for_nmi(struct run *run);

bool task_is_busy(u32 selector);

#define SWITCH(name, code, switches, prepared, checked)                                            \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .rbx = 1,                                              \
                          .exits = EXITS(TASK_SWITCH, MINIMAL, switches), .others_exit = true,     \
                          .prepare = prepared, .check = checked, .restore = task_restore           \
    }
/*
 * The fault belongs to the old task, or to the new one. The CPU may look at the TSS's descriptor
 * before it exits, and find the fault by itself.
 */
#define REFUSED(name, code, prepared, vector, selector, rip)                                       \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .fault = FAULT(vector), .error = selector,             \
                          .fault_rip = rip, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),               \
                          .optional_control = true, .prepare = prepared, .restore = task_restore   \
    }

/* Rows of the family that stand in files of their own. */
void test_task_switch_faults(void);
void test_task_switch_16bit(void);

#endif
