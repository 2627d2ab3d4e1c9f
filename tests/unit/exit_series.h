/*
 * A series of exits that bytes describe, on the fake machine: the first two choose
 * CPU, profile and what records exits; then each RECORD bytes are an exit, with what the guest did
 * before it; after them as many again, and four, that a generator makes which the bytes have set:
 * of any reason alike, and where one ends the run, the next is a new guest's in the next profile,
 * so that none is rare. After each, all rules of exit_rules.h are checked.
 */
#ifndef TALLY_TESTS_EXIT_SERIES_H
#define TALLY_TESTS_EXIT_SERIES_H

#include "types.h"
#include "stats/counters.h"
#include "tally.h"

enum { RECORD = 48, PROFILES = PROFILE_ALL + 1 };

/* Runs it; what breaks a rule ends the program. Each is run from the same state. */
void series_run(const u8 *bytes, size_t size);

/* Exits of all series so far. */
extern u64 series_count[PROFILES][REASON_SLOTS];
extern unsigned series_most_steps; /* VMREADs, VMWRITEs, accesses to memory, ports of one exit */

/* Only this one, whatever the bytes say; PROFILES: by the bytes. */
extern unsigned series_profile;

#endif
