/* 4 KiB frames for tables, stacks and the like, from Tally's own memory; never given back. */
#ifndef TALLY_HOST_FRAMES_H
#define TALLY_HOST_FRAMES_H

#include "types.h"

/* Hands the allocator `count` frames, mapped at `base`; the first has the address `physical`. */
void frames_init(void *base, u64 physical, unsigned count);

/* A zeroed frame; fatal() when there is none. Callers on several CPUs take turns. */
void *frame_alloc(void);

/* `count` of them, one after the other. */
void *frames_alloc(unsigned count);

/* The highest that is left. */
void *frame_last(void);

/* How many frames are left. */
unsigned frames_left(void);

/* Physical address of (something in) a frame, and the pointer to one. */
u64 frame_physical(const void *frame);
void *frame_pointer(u64 physical);

#endif
