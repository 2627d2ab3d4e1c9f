/* Code under test outside IA-32e mode: protected, virtual-8086 and real-address mode. */
#ifndef GUEST_LEGACY_H
#define GUEST_LEGACY_H

#include "types.h"

struct legacy_state { /* as legacy.asm reads and writes it */
    u32 gpr[8];
    u32 ds, es, fs, gs;  /* out */
    u32 eip, cs, eflags; /* CS 0: real-address mode */
    u32 ss, data;        /* data: DS and ES */
    u32 paged;           /* 1: with PAE paging, 2: 32-bit; the same addresses as in 64-bit mode */
    u32 vector, error;   /* out: what ended it */
    u32 tr, cr3;         /* out */
    u16 idt_limit;       /* out */
    u32 idt_base;        /* out */
} __attribute__((packed));

#define PAGED_32 2

/* Builds the tables of these modes. */
void legacy_init(void);

/* Runs from `state` to the first trap, whose state it brings back. */
void legacy_run(struct legacy_state *state);

/* Points a vector of the 32-bit IDT at a task gate, and back at its entry. */
void legacy_set_task_gate(u32 vector, u16 tss_selector);
void legacy_reset_gate(u32 vector);

struct tss32 {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2;
    u32 cr3, eip, eflags;
    u32 gpr[8];
    u32 es, cs, ss, ds, fs, gs, ldt;
    u16 trap, io_map;
    u8 io_permissions[0x21]; /* ports 0 to 0xFF and the byte that ends the map */
};
_Static_assert(offsetof(struct tss32, io_permissions) == 0x68, "32-bit TSS");

struct tss16 {
    u16 link, sp0, ss0, sp1, ss1, sp2, ss2;
    u16 ip, flags, gpr[8];
    u16 es, cs, ss, ds, ldt;
};
_Static_assert(sizeof(struct tss16) == 44, "16-bit TSS");

extern struct tss32 tss32, other_tss32;
extern u64 pae_pointers[4];

#endif
