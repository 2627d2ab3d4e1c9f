/* The guest's descriptor tables and the low memory that code under test runs in. */
#ifndef GUEST_DESCRIPTORS_H
#define GUEST_DESCRIPTORS_H

#include "types.h"

/* Selectors of the GDT; ring 3's hold their RPL. The 16-bit segments start at LOW_MEMORY. */
enum selector {
    SELECTOR_CODE64 = 0x08,
    SELECTOR_DATA = 0x10,
    SELECTOR_CODE32 = 0x18,
    SELECTOR_CODE16 = 0x20,
    SELECTOR_DATA16 = 0x28,
    SELECTOR_USER_CODE64 = 0x30 | 3,
    SELECTOR_USER_DATA = 0x38 | 3,
    SELECTOR_USER_CODE32 = 0x40 | 3,
    SELECTOR_USER_CODE16 = 0x48 | 3,
    SELECTOR_USER_DATA16 = 0x50 | 3,
    SELECTOR_NOT_PRESENT = 0x58, /* a data segment with P = 0 */
    SELECTOR_TSS = 0x60,         /* two slots */
    SELECTOR_LDT = 0x70,         /* two slots */
    SELECTOR_TSS32 = 0x80,
    SELECTOR_OTHER_TSS32 = 0x88,
    SELECTOR_TASK_GATE = 0x90,
    SELECTOR_CALL_GATE = 0x98, /* two slots */
    GDT_SIZE = 0xA8,
};

/*
 * Code under test is copied to LOW_MEMORY, where every mode can reach it, v8086 and 16-bit segments
 * too (LOW_MEMORY is their base). Data and stack follow it in pages of their own.
 */
#define LOW_MEMORY 0x8000u
#define LOW_DATA 0x9000u
#define LOW_STACK_TOP 0xB000u
#define LOW_SIZE (LOW_STACK_TOP - LOW_MEMORY)

extern u64 gdt[GDT_SIZE / 8];

/* Loads GDT, IDT and TSS; from then on exceptions are caught. */
void descriptors_init(void);

/* Points vector `vector` of the IDT at `handler`; ring 3 may raise it by INT n if `dpl` is 3. */
void set_gate(u32 vector, void (*handler)(void), u32 dpl);

/* Stacks that gates switch to; STACK_MISSING lies in a page that is not there. */
enum interrupt_stack { STACK_TRAPS = 1, STACK_NMI = 2, STACK_MISSING = 3 };
void set_gate_stack(u32 vector, enum interrupt_stack stack);

/* Makes a gate of the IDT present or not. */
void set_gate_present(u32 vector, bool present);

/* A segment descriptor from base, limit and the access rights of the SDM's bits 23:8 (G, D, L …
 * type). */
u64 segment_descriptor(u32 base, u32 limit, u32 access);

#endif
