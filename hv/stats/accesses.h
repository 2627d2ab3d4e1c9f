/*
 * With `make COUNT_ACCESSES=1`: how many VMREADs and VMWRITEs the exits of each reason take. Under
 * a hypervisor without VMCS shadowing each is an exit of its own. For one vCPU; without the option
 * all of this is nothing.
 */
#ifndef TALLY_STATS_ACCESSES_H
#define TALLY_STATS_ACCESSES_H

#include "types.h"

#ifdef TALLY_COUNT_ACCESSES

extern u64 vmread_count, vmwrite_count;

static inline void count_vmread(void)
{
    vmread_count++;
}

static inline void count_vmwrite(void)
{
    vmwrite_count++;
}

/* What was counted before the guest's start belongs to no exit. */
static inline void accesses_begin(void)
{
    vmread_count = vmwrite_count = 0;
}

/* What was counted since the last call belongs to an exit of this slot. */
void accesses_end_exit(u32 slot);

/* One line a reason: exits, VMREADs and VMWRITEs in all. */
void accesses_print(void);

#else

static inline void count_vmread(void)
{
}

static inline void count_vmwrite(void)
{
}

static inline void accesses_begin(void)
{
}

static inline void accesses_end_exit(u32 slot)
{
    (void)slot;
}

static inline void accesses_print(void)
{
}

#endif

#endif
