/* Results in the Test Anything Protocol, and the end of the run. */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include "kernel/traps.h"

/* Starts the family that the following tests' names carry. */
void family_begin(const char *name);
/* A line about it: tests, and exits of all vCPUs without those of the console's ports; none bare.
 */
void family_end(void);
#define FAMILY_END_CPUIDS 1

/*
 * One line each. The transcript is the same bare and under every profile of Tally, but for tests
 * that speak of exit counts (`count: ` in the name) or to Tally (`tally: `); bare, these are
 * skipped. They return `passed`, so that a failure can be explained by note().
 */
bool ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool count_ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool tally_ok(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
void count_skip(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tally_skip(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line of explanation, `# …`. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the plan and ends the run with its verdict. */
_Noreturn void finish(void);
/* Ends it at once as failed: `why` and, if not NULL, where. */
_Noreturn void bail_out(const char *why, const struct trap_frame *frame);

#endif
