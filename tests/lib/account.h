/* What Bochs says of the exits of a run, read from its log (debug: cpu0=report, ...). */
#ifndef TALLY_TESTS_ACCOUNT_H
#define TALLY_TESTS_ACCOUNT_H

#include "types.h"

#define CPUS 8

struct exit {
    u64 tick, qualification, address;
    u64 stamp_tick; /* of the first RDTSC after it */
    size_t stamp;   /* the first of `stamps` in cpu.stamp */
    u32 stamps;
    u32 reason, msr, event, injected;
    bool interrupted; /* Tally itself was, before that RDTSC: by another CPU's NMI */
};

struct cpu {
    struct exit *exit, next; /* `next`: what is said before the reason */
    u64 *stamp;              /* TSCs as Tally read them, at each exit and after it */
    size_t count, room, stamps, stamp_room;
    bool inside;      /* in Tally */
    bool tsc_written; /* by the guest, in the exit before */
    unsigned differences;
};

extern struct cpu cpus[CPUS];
extern unsigned verdict; /* what the guest wrote to port 0xF4 */

/* Reads standard input to its end. */
void read_log(void);

#endif
