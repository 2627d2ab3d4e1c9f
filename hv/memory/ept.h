/*
 * The guest's physical memory: an identity map with the memory types that the MTRRs give.
 * SDM vol. 3, 'The Extended Page Table Mechanism (EPT)'. Nothing in here executes INVEPT: whoever
 * changes an entry that a CPU may have cached does it, on every CPU.
 */
#ifndef TALLY_MEMORY_EPT_H
#define TALLY_MEMORY_EPT_H

#include "memory/mtrr.h"

#define EPT_LAZY_TABLES 16
#define EPT_SPLITS 64 /* for ept_retype(): each makes it slower for good */

struct ept {
    u64 *root;
    u64 caps; /* IA32_VMX_EPT_VPID_CAP */
    const struct mtrr_state *mtrr;
    unsigned lazy_used, splits_left;
    u64 *lazy[EPT_LAZY_TABLES];        /* table pages for addresses above the eager map */
    u64 *lazy_parent[EPT_LAZY_TABLES]; /* the entries that point at them */
};

/* An empty map. `mtrr` stays in use. */
void ept_init(struct ept *ept, u64 caps, const struct mtrr_state *mtrr);

/* Maps [from, to), both multiples of 4 KiB, to itself with the largest pages that the CPU has and
 * the memory types allow. The frames come from frame_alloc(). */
void ept_map_identity(struct ept *ept, u64 from, u64 to);

/* How many frames ept_init() and ept_map_identity() of [0, to) take. */
unsigned ept_frames_needed(u64 caps, const struct mtrr_state *mtrr, u64 to);

/*
 * Maps the largest page around `address` that is possible, and nothing that is mapped already, for
 * an address that the eager map does not cover (a device's 64-bit BAR). False if it needs more
 * tables than are left: then ept_drop_lazy(), INVEPT, and once more.
 * Also false, always, for an address that EPT cannot translate.
 */
bool ept_map_lazy(struct ept *ept, u64 address);

/* Forgets what ept_map_lazy() needed tables for. */
void ept_drop_lazy(struct ept *ept);

/* Sets the entry of one 4 KiB page; large pages around it are split (frame_alloc()), all else stays
 * as it is. Not for addresses that ept_map_lazy() mapped: those can be dropped. */
void ept_set(struct ept *ept, u64 address, u64 entry);

/* The entry where the walk for `address` ends: a page, or one that is not present. `level` is
 * 4 PML4E, 3 PDPTE, 2 PDE, 1 PTE. For reading; a split makes it stale. */
u64 *ept_entry(const struct ept *ept, u64 address, unsigned *level);

/*
 * Gives every page in [from, to) the memory type that the MTRRs have by now. Large pages that have
 * more than one are split, at most EPT_SPLITS in all and while there are frames, and uncacheable
 * after that. So is the rest if the MTRRs cut memory into more pieces than MTRR_STEPS; then false
 * comes back, and the next call must be for all addresses.
 */
bool ept_retype(struct ept *ept, u64 from, u64 to);

/* The value for the VMCS field 'EPT pointer'. Accessed and dirty flags stay off: nobody reads them,
 * each walk of the guest's page tables would count as a write, and some Atoms have an erratum
 * there. */
u64 ept_pointer(const struct ept *ept);

#endif
