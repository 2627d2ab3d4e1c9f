/* The words of the command line. Each returns the program's status. */
#ifndef TALLY_GUEST_COMMANDS_H
#define TALLY_GUEST_COMMANDS_H

#include "reading.h"

enum status { STATUS_OK, STATUS_NO_TALLY, STATUS_USAGE };

struct options {
    const char *program; /* as it was called: tally, tally-top, tally-mark */
    const char *file;    /* -o */
    bool once, csv, tsc; /* -1 -c -t */
    double interval;     /* -i, seconds */
    long times;          /* -n: refreshes, rows or records; 0: without end, all; -1: not given */
    char **words;        /* the rest */
};

int command_stat(const struct options *o);
int command_top(const struct options *o);
int command_sites(const struct options *o);
int command_trace(const struct options *o);
int command_record(const struct options *o);
int command_mark(const struct options *o);
void print_tsc(void); /* a line `tsc TICKS` */

/* A line on standard error, and STATUS_USAGE. */
int usage_error(const struct options *o, const char *what, const char *word);

/* What a table's heading says: where the counts were read. */
const char *where_from(void);

/* Runs o->words, if there are any, between two readings, `before` and `after`, which is less the
 * first; without, both are since the start. Returns the command's status. */
int run_between(const struct options *o, struct reading *before, struct reading *after,
                unsigned parts);

/* Counts and cycles of the accesses to COM1; false if no sites are recorded. */
bool console_share(const struct reading *r, struct reason_counter *sum);
/* The reasons' table, the console in a row of its own, and what is left without it. */
void print_table(const struct reading *r);

/* The sites of a window, most exits first, or with `details` those of a reason and detail as one.
 */
size_t sites_list(const struct window *w, struct site **list, bool details);
void sites_print_heading(void);
void sites_print_row(const struct site *s, u64 all);

/* The function at an address of the kernel's, `name+0x12`, or the address. */
const char *function_at(u64 address, unsigned mode);

#endif
