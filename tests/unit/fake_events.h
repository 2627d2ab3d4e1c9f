/*
 * What a handler did to the guest besides the VMCS, recorded: the exception that it injected, the
 * flushes that it asked for. For tests of handlers alone, without vmx/events.c and invalidate.c.
 */
#ifndef TALLY_TESTS_FAKE_EVENTS_H
#define TALLY_TESTS_FAKE_EVENTS_H

#include "types.h"

extern struct fake_event {
    int vector; /* -1: none since fake_events_reset() */
    u32 error_code;
    u64 address; /* of a #PF */
} fake_event;

extern struct fake_flushes {
    unsigned all, non_global, page;
    u64 linear;
} fake_flushes;

void fake_events_reset(void);

#endif
