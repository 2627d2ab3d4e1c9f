/*
 * What Tally counts, as it lies in memory: pages of their own with nothing else of Tally's in them.
 * The first page is a directory. Who finds it by its mark in a machine that stands still (the
 * runner) reads the same words that Tally prints.
 */
#ifndef TALLY_WINDOW_LAYOUT_H
#define TALLY_WINDOW_LAYOUT_H

#include "tally.h"

#define WINDOW_MARK 0x776F646E6957F154ull
#define WINDOW_VERSION 1

/* One exit reason on one vCPU. Cycles are TSC ticks. */
struct reason_counter {
    u64 count, cycles, min, max; /* min starts as ~0 */
};

#define REASON_SLOTS (EXIT_REASONS + 1) /* the last counts all numbers above the table */

/* What one vCPU counts: a page, which its own CPU alone writes. */
struct statistics {
    struct reason_counter reason[REASON_SLOTS];
} __attribute__((aligned(4096)));
_Static_assert(sizeof(struct reason_counter) == 32 && sizeof(struct statistics) == 4096,
               "a page for each vCPU, 32 bytes a reason");

/*
 * The time line's records, numbers as base-128 varints, lowest digit first, so that a quiet
 * interval takes some ten bytes:
 *
 *   u8       number of reasons whose counts changed, or TIMELINE_MARK
 *   varint   ticks since the record before
 *   sample:  u8 reason, varint increase, for each of them
 *   mark:    the name, MARK_NAME bytes
 */
#define TIMELINE_MARK 0xFF
#define MARK_NAME 16
_Static_assert(REASON_SLOTS < TIMELINE_MARK, "a sample's first byte is never TIMELINE_MARK");

struct timeline_log {
    u64 used;     /* bytes of record[] */
    u64 last_tsc; /* of the newest record, from the guest's start */
    u64 full_tsc; /* when the first was lost, if any was */
    u64 lost;     /* records for which there was no room */
    u8 record[];
};

/* What the report's begin line and LEAF_INFO tell. */
struct run_facts {
    u64 start_tsc; /* at the guest's start */
    u32 tsc_khz;   /* 0 where not known */
    u32 profile;   /* enum tally_profile */
    u32 report;    /* the formats of stats=: enum report_format */
    u32 vcpus;
    char cpu[48]; /* brand string */
    char version[64];
};

enum window_kind {
    WINDOW_COUNTERS,
    WINDOW_TIMELINE,
    WINDOW_SITES,
    WINDOW_HISTOGRAMS,
    WINDOW_TRACE,
    WINDOW_PARTS
};

struct window_part {
    u64 offset;      /* from the directory */
    u64 size;        /* of one copy, and so from one to the next; 0: the part is not there */
    u32 copies;      /* one for each vCPU, or 1 */
    u32 record_size; /* 1 where records differ */
};

struct window {
    u64 mark;
    u64 address; /* physical, the directory's own: a copy of it elsewhere is none */
    u32 version, pages;
    struct run_facts facts;
    struct window_part part[WINDOW_PARTS];
};

#endif
