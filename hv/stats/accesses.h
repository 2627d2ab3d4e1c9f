/*
 * With `make COUNT_ACCESSES=1`: how many VMREADs and VMWRITEs the exits of each reason take. Under
 * a hypervisor without VMCS shadowing each is an exit of its own. For one vCPU; without the option
 * all of this compiles to nothing.
 */
#ifndef TALLY_STATS_ACCESSES_H
#define TALLY_STATS_ACCESSES_H

#include "types.h"

#ifdef TALLY_COUNT_ACCESSES
#define COUNT_ACCESSES 1
#else
#define COUNT_ACCESSES 0
#endif

extern struct accesses {
    u64 reads, writes;
} accesses; /* since the last exit's end */

static inline void count_vmread(void)
{
    if (COUNT_ACCESSES)
        accesses.reads++;
}

static inline void count_vmwrite(void)
{
    if (COUNT_ACCESSES)
        accesses.writes++;
}

/* They belong to an exit of this slot; those before the guest's start (NO_SLOT) to none. */
#define NO_SLOT ~0u
void accesses_belong_to(u32 slot);

/* One line a reason: exits, VMREADs and VMWRITEs in all. */
void accesses_print(void);

#endif
