#include "lib/print.h"
#include "stats/counters.h"
#include "accesses.h"

struct accesses accesses;

static struct {
    u64 exits, reads, writes;
} of_slot[REASON_SLOTS];

void accesses_of(u64 slot)
{
    static bool begun;
    if (begun) {
        of_slot[slot].exits++;
        of_slot[slot].reads += accesses.reads;
        of_slot[slot].writes += accesses.writes;
    }
    begun = true;
    accesses = (struct accesses){0};
}

void accesses_print(void)
{
    say("  reason                            exits  VMREADs VMWRITEs  of one exit");
    for (u32 slot = 0; slot < REASON_SLOTS; slot++) {
        u64 exits = of_slot[slot].exits;
        if (!exits)
            continue;
        u64 reads = of_slot[slot].reads * 100 / exits; /* in hundredths: there are no fractions */
        u64 writes = of_slot[slot].writes * 100 / exits;
        say("    %3u %-24s %10lu  %4lu.%02lu  %4lu.%02lu", slot, reason_name(slot), exits,
            reads / 100, reads % 100, writes / 100, writes % 100);
    }
}
