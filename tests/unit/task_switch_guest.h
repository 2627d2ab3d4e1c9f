/* A guest with two tasks, which leaves by a task switch. */
#ifndef TALLY_TESTS_TASK_SWITCH_GUEST_H
#define TALLY_TESTS_TASK_SWITCH_GUEST_H

#include "fake_vmcs.h"

#define GDT 0x4000u
#define OLD_TSS 0x6000u
#define NEW_TSS 0x6800u
#define STACK 0x8000u

/* Selectors: the flat segments are those of fake_guest(). */
enum {
    SEL_CODE = 0x08,
    SEL_DATA = 0x10,
    SEL_USER_CODE = 0x1B,
    SEL_USER_DATA = 0x23,
    SEL_OLD = 0x28,
    SEL_NEW = 0x30,
    SEL_LDT = 0x38,
    SEL_ABSENT_CODE = 0x40,
    SEL_ABSENT_DATA = 0x48,
    SEL_READ_ONLY = 0x50,
    SEL_BEYOND = 0x60,
    GDT_LIMIT = 0x5F,
};

#define DESCRIPTOR(base, limit, rights)                                                            \
    (((u64)(base)&0xFFFFFF) << 16 | (u64)(base) >> 24 << 56 | ((limit)&0xFFFFu) |                  \
     ((u64)(limit)&0xF0000) << 32 | (u64)(rights) << 40)

enum { CALL, IRET, JMP, GATE };

/* What task_switch_by() puts into the new TSS. */
extern struct new_tss {
    u16 link, r0;
    u32 stacks[6];
    u32 cr3, eip, eflags, gpr[8];
    u32 segment[6], ldt;
    u16 trap, map;
} new_tss;

void set_gdt(unsigned selector, u64 descriptor);
u8 rights_byte(unsigned selector); /* of a descriptor in the GDT */
u32 ram32(unsigned address);

int setup(void **state);
/* The exit and its handler; after it, the state must be one that VM entry takes. */
void task_switch_by(unsigned source, u16 selector, unsigned length);
void assert_switched(void);
void assert_fault(int vector, u32 error_code);

#endif
