/* Memory types by the MTRRs. SDM vol. 3, 'Memory Type Range Registers (MTRRs)'. */
#ifndef TALLY_MM_MTRR_H
#define TALLY_MM_MTRR_H

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

/* Whether they count at all: without them all memory is uncacheable. */
bool mtrr_enabled(const struct mtrr_state *state);

/*
 * The memory type of the byte at `address`. All of [address, *uniform_until) has this type; the
 * range may be shorter than it could be, never longer, and ends at the top of physical memory.
 */
u8 mtrr_type(const struct mtrr_state *state, u64 address, u64 *uniform_until);

#endif
