/*
 * Sites, histograms and trace as they lie in the window: one copy of each a vCPU, which its own CPU
 * alone writes. docs/sites.md is the contract.
 */
#ifndef TALLY_SITES_LAYOUT_H
#define TALLY_SITES_LAYOUT_H

#include "window_layout.h"

/* Where an exit came from: enum site_mode above the ring. */
enum site_mode { SITE_REAL, SITE_V8086, SITE_16, SITE_32, SITE_COMPATIBILITY, SITE_64 };
#define SITE_RING 3u
#define SITE_MODE_SHIFT 2

/* Which of a reason's exits: docs/sites.md lists what `detail` means for each. */
struct site_key {
    u64 rip; /* linear in ring 0; its low 12 bits in ring 3; 0 where it would not be the cause */
    u64 detail;
    union {
        struct {
            u8 reason, mode;
            u8 used; /* 1: the row is taken */
            u8 reserved[5];
        };
        u64 what;
    };
};

struct site {
    struct site_key key;
    struct reason_counter counter;
};

struct site_table {
    u64 sequence; /* odd while a row is being written */
    u64 rows;     /* of site[], a power of two; an exit's row is searched from its key's hash on */
    u64 used;
    u64 reserved;
    struct reason_counter other[REASON_SLOTS]; /* what the table had no row for */
    struct site site[];
};

/*
 * Cycles of a reason's exits, four buckets an octave: below 4 the cycles themselves, then
 * 4 * (octave - 1) + the two bits below the highest. The last bucket holds all that is beyond.
 */
#define HISTOGRAM_BUCKETS 128u
struct histograms {
    u64 bucket[REASON_SLOTS][HISTOGRAM_BUCKETS];
};

/* One exit. */
struct trace_record {
    u64 time; /* ticks since the guest's start */
    u64 rip, detail;
    u32 cycles; /* the largest number stands for all beyond it */
    u16 vcpu;
    u8 reason, mode;
};
_Static_assert(sizeof(struct trace_record) == 32, "as a CTF stream has it");

struct trace_log {
    u64 written; /* exits, those that are lost included */
    u64 rows;    /* of record[] */
    u64 last;    /* 1: the newest exits are kept, as a ring; 0: the oldest */
    u64 reserved;
    struct trace_record record[];
};

#endif
