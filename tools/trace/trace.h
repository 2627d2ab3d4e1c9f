/* The records of the exits, as tools/last_report.c has written them. */
#ifndef TALLY_TRACE_TRACE_H
#define TALLY_TRACE_TRACE_H

#include "sites_layout.h"

struct stream {
    struct trace_log *log;
    u64 kept, first, next; /* records; the oldest one's row; how many have been told */
};

extern struct window directory;
extern struct stream *streams; /* one for each vCPU: directory.facts.vcpus */

/* One line on standard error, and the end with status 2. */
_Noreturn void fail(const char *format, ...);

void read_trace(const char *path);

/* A stream's record `n`, the oldest is 0. */
const struct trace_record *record_of(const struct stream *s, u64 n);

/* The next record of all streams in the order of time; NULL: there are no more. */
const struct trace_record *next_record(void);

/* Different exits have numbers, from 0, in the order in which they appear. */
unsigned key_number(const struct trace_record *record);
unsigned key_count(void);
const struct site_key *key_of(unsigned number);

/* Writes metadata and streams into a directory, which is made. */
void export_ctf(const char *to);

#endif
