/* From a number to a line of code: which instruction made an exit, what about, and what it cost. */
#ifndef TALLY_SITES_SITES_H
#define TALLY_SITES_SITES_H

#include "options.h"
#include "stats/window.h"
#include "vcpu.h"

/*
 * What one of the latest sites is known by, in raw words, and where it is counted. Tally's own: no
 * guest sees these. recorded_exit.inc looks here by a hash of address and detail; the place after
 * the last is for exits whose raw words do not tell all.
 */
struct known_site {
    u64 rip, detail, what; /* address, word of the reason's source, seen.mode and the reason */
    struct reason_counter *counter;
    u64 *buckets; /* its reason's histogram */
    u64 key_rip, key_detail;
    u16 vcpu; /* from here on the end of a trace record */
    u8 reason, mode;
    u32 reserved;
};
#define KNOWN_SITES_SHIFT 8
#define KNOWN_SITES (1u << KNOWN_SITES_SHIFT)
#define KNOWN_SIZE_SHIFT 6
_Static_assert(sizeof(struct known_site) == 1 << KNOWN_SIZE_SHIFT, "a cache line");

/* Where the raw word of a reason's detail comes from: one of these, or a field of the VMCS. */
enum site_source {
    SOURCE_NOT_RAW, /* learn_site() each time */
    SOURCE_NOTHING,
    SOURCE_NOTHING_ASYNCHRONOUS,
    SOURCE_INJECTED,
    SOURCE_LEAF,
    SOURCE_MSR,
    SOURCE_PAGE,
    SOURCE_IF,
    SOURCE_RAX,
    SOURCE_FIELDS
};
extern u16 site_sources[EXIT_REASONS];
#define EPT_ACCESS 7u /* of the qualification: read, write, fetch */

/* A recorder's own memory, beside the window. */
struct recorder_memory {
    struct known_site known[KNOWN_SITES + 1];
    u64 sequence; /* these three for what is not asked for */
    struct reason_counter counter;
    u64 buckets[HISTOGRAM_BUCKETS];
};

/* What sites= and trace= want of the window, in bytes of each vCPU; says how much that is. */
void recording_plan(const struct options *options, unsigned vcpus, u64 sizes[WINDOW_PARTS]);

/* Frames that each vCPU's recorder takes beside the window; 0: there is none. */
unsigned recorder_frames(const struct options *options);

/* Makes the vCPU's parts, in zeroed memory of the window and of these frames, and gives it the
 * chore of recording. */
void recording_start(struct vcpu *vcpu, const struct options *options, void *frames);

/* Finds out what vcpu->seen and the VMCS tell of an exit, after its handler, and notes it in
 * `known`, under these raw words. */
void learn_site(struct vcpu *vcpu, struct known_site *known, u64 detail, u64 rip);

/* The exit that ends the run is cut off, and so may be one of each other CPU: counted without
 * cycles. */
void record_last_exits(struct vcpu *vcpu);

/* detail.c: what makes the site of the exit, and where its reason's raw word is. */
struct site_key site_of_exit(const struct vcpu *vcpu);
u16 site_source(unsigned reason);

#endif
