/* Memory type range registers. SDM vol. 3, 'Memory Type Range Registers (MTRRs)'. */
#ifndef TALLY_X86_MTRR_H
#define TALLY_X86_MTRR_H

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
    u64 cap, def_type; /* IA32_MTRRCAP, IA32_MTRR_DEF_TYPE */
    union {
        u8 fixed[MTRR_FIXED_RANGES]; /* types of 8 ranges of 64 KiB, 16 of 16 KiB, 64 of 4 KiB */
        u64 fixed_register[MTRR_FIXED_RANGES / 8];
    };
    struct {
        u64 base, mask; /* IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn */
    } variable[MTRR_VARIABLE_MAX];
    u64 physical_bits; /* width of a physical address */
};

#endif
