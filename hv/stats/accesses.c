#include "stats/accesses.h"

#ifdef TALLY_COUNT_ACCESSES

#include "lib/print.h"
#include "stats/counters.h"

u64 vmread_count, vmwrite_count;

static struct {
    u64 exits, reads, writes;
} of_slot[REASON_SLOTS];

void accesses_end_exit(u32 slot)
{
    of_slot[slot].exits++;
    of_slot[slot].reads += vmread_count;
    of_slot[slot].writes += vmwrite_count;
    vmread_count = vmwrite_count = 0;
}

/* In hundredths, since there are no fractions here. */
static unsigned hundredths(u64 sum, u64 exits)
{
    return (unsigned)(sum * 100 / exits);
}

void accesses_print(void)
{
    say("  reason                            exits  VMREADs VMWRITEs  of one exit");
    for (u32 slot = 0; slot < REASON_SLOTS; slot++) {
        u64 exits = of_slot[slot].exits;
        if (!exits)
            continue;
        unsigned reads = hundredths(of_slot[slot].reads, exits);
        unsigned writes = hundredths(of_slot[slot].writes, exits);
        say("    %3u %-24s %10lu  %4u.%02u  %4u.%02u", slot, reason_name(slot), exits, reads / 100,
            reads % 100, writes / 100, writes % 100);
    }
}

#endif
