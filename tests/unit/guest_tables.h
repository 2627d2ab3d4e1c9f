/* Page tables of a fake guest, entry by entry. Goes with fake_vmcs*.c and fake_events.c. */
#ifndef TALLY_TESTS_GUEST_TABLES_H
#define TALLY_TESTS_GUEST_TABLES_H

#include "fake_vmcs.h"

#include "memory/guest_memory.h"

#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define LARGE 0x80ull
#define NX BIT(63)

#define TABLES 0x10000 /* one page a level, the root first */
#define TABLE(n) (TABLES + 0x1000ull * (n))
#define DATA 0x20000ull

extern struct guest_fault fault; /* of the access under test */

/* A new guest, no fault, 40 address bits and pages of 1 GiB. */
int setup(void **state);

u64 entry(unsigned table, unsigned index);
void set_entry(unsigned table, unsigned index, u64 value);
void set_entry32(unsigned table, unsigned index, u32 value);

/* 4-level paging: LINEAR by entries 0, 1, 1, 1 of the four tables is DATA + 0x123. `upper` and
 * `leaf` are the bits of the entries besides the address. */
#define LINEAR 0x40201123ull
void four_levels(u64 upper, u64 leaf);

#endif
