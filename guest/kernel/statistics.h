/* Tally's statistics leaves, as a guest reads them. */
#ifndef GUEST_STATISTICS_H
#define GUEST_STATISTICS_H

#include "tally.h"
#include "window_layout.h"

struct exit_counts {
    u32 reason_exits, all_exits;
    u64 reason_cycles;
};

/* Finds out whether Tally runs this guest, and in which profile. */
void statistics_init(void);
bool under_tally(void);
enum tally_profile tally_profile(void);
const char *profile_name(void); /* "bare" without Tally */

u32 reason_exits(u32 reason);
u64 reason_cycles(u32 reason);
u32 all_exits(void);
u64 all_cycles(void);

/*
 * Readings around code under test. The differences are the code's own: exits by the questions
 * themselves are taken out. All zero without Tally.
 */
void read_counts_before(u32 reason, struct exit_counts *counts);
void read_counts_after(u32 reason, struct exit_counts *counts);

/* The pages in which Tally counts, asked for by their leaf, which puts them back where the guest
 * has spoiled them; NULL: none. */
const volatile struct window *window_of_tally(void);

/* A reason's exits as the window has them, of the first vCPU. */
u64 window_count(const volatile struct window *w, enum exit_reason reason);

#endif
