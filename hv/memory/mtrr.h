/*
 * Memory types by the MTRRs. Those that the guest reads and writes are kept in its vCPU: the EPT
 * has the types that the boot CPU's say, and hardware keeps the firmware's, for Tally.
 */
#ifndef TALLY_MEMORY_MTRR_H
#define TALLY_MEMORY_MTRR_H

#include "x86/mtrr.h"

/* Fills `state` from the registers of this CPU; a CPU without MTRRs is all write-back. */
void mtrr_read(struct mtrr_state *state);

/* A register by its MSR's number; NULL: there is no such one. */
u64 *mtrr_register(struct mtrr_state *state, u32 msr);

/* A guest's WRMSR of one; false: #GP, as there is none or the value has reserved bits or types. */
bool mtrr_write(struct mtrr_state *state, u32 msr, u64 value);

/* Without them on, as while several are changed, all memory is uncacheable. */
static inline bool mtrrs_are_on(const struct mtrr_state *state)
{
    return state->def_type & BIT(11);
}

/*
 * The memory type of the byte at `address`. All of [address, *uniform_until) has this type; the
 * range may be shorter than it could be, never longer, and ends at the top of physical memory.
 */
u8 mtrr_type(const struct mtrr_state *state, u64 address, u64 *uniform_until);

/*
 * The same for who asks again and again: *steps says how many pieces of memory may still be looked
 * at, and is reduced. At 0 all is uncacheable, which is never wrong, up to the top. A guest can
 * give masks with holes that make every second page another piece; usual ones make a hundred.
 */
u8 mtrr_type_within(const struct mtrr_state *state, u64 address, u64 *uniform_until,
                    unsigned *steps);
#define MTRR_STEPS 2048

/* The addresses where two states of one CPU may differ: all of them lie in [*from, *to). False if
 * they are the same everywhere. Takes at most MTRR_STEPS steps. */
bool mtrr_difference(const struct mtrr_state *a, const struct mtrr_state *b, u64 *from, u64 *to);

#endif
