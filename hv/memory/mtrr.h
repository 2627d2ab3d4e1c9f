/* Memory types by the MTRRs. SDM vol. 3, 'Memory Type Range Registers (MTRRs)'. */
#ifndef TALLY_MEMORY_MTRR_H
#define TALLY_MEMORY_MTRR_H

#include "types.h"

enum memory_cache_type {
    CACHE_UC = 0,
    CACHE_WC = 1,
    CACHE_WT = 4,
    CACHE_WP = 5,
    CACHE_WB = 6,
};

#define MTRR_FIXED_RANGES 88
#define MTRR_VARIABLE_MAX 32

struct mtrr_state {
    u64 cap, def_type;           /* IA32_MTRRCAP, IA32_MTRR_DEF_TYPE */
    u8 fixed[MTRR_FIXED_RANGES]; /* types of 8 ranges of 64 KiB, 16 of 16 KiB, 64 of 4 KiB */
    struct {
        u64 base, mask; /* IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn */
    } variable[MTRR_VARIABLE_MAX];
    unsigned physical_bits; /* width of a physical address */
};

/* Fills `state` from the registers of this CPU; a CPU without MTRRs is all write-back. */
void mtrr_read(struct mtrr_state *state);

/* Whether they count at all on this CPU, which has them: without them all memory is uncacheable. */
bool mtrrs_are_on(void);

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
