/*
 * The hypervisor's own address space. Tally's image and frames stay at fixed virtual addresses,
 * each section with no more rights than it needs; everything else is reached by the direct map,
 * in which Tally's own memory is missing.
 */
#ifndef TALLY_HOST_PAGING_H
#define TALLY_HOST_PAGING_H

#include "types.h"

#define HIGH 0xFFFFFFFF80000000ull
#define IMAGE_PHYSICAL (1 * MIB) /* where loaders put the image, by BIOS; linker.ld agrees */
#define IMAGE_VIRTUAL (HIGH + IMAGE_PHYSICAL)
#define DIRECT_MAP 0xFFFF800000000000ull

/* Where `address` is in the direct map; for Tally's own memory there is frame_pointer(). */
void *physical(u64 address);

/*
 * Before the move: maps [address, address+size) for the screen, also above what the direct map
 * covers, uncacheable or write-combining as the MTRRs have it. Returns where it is seen, in the
 * tables that move_to() makes, too; NULL: it is larger than this CPU's addresses or than 1 GiB.
 */
void *map_screen(u64 address, u64 size);

/* A loader has put the image elsewhere than at IMAGE_PHYSICAL. */
void image_is_at(u64 base);

/* The image's size with its zeroed data, in bytes. */
u64 image_size(void);

/*
 * Moves Tally to [base, base+size), both multiples of 2 MiB in RAM below 4 GiB, and hands what
 * the image leaves of it to the frame allocator. `top` is the end of what the direct map covers.
 */
void move_to(u64 base, u64 size, u64 top);

/* Frames for page tables that move_to() needs for a direct map of `top` bytes. */
u64 paging_frames(u64 size, u64 top);

/* Takes one page of Tally's away, so that stacks cannot grow over it. */
void make_guard_page(void *page);

/* Physical address of something in the image or in the frames. */
u64 own_physical(const void *pointer);

/* CR3 of tables like Tally's own that also map the first 2 MiB to themselves, for a CPU that comes
 * from real mode. Takes LOW_MEMORY_FRAMES frames each time. */
u64 tables_with_low_memory(void);
#define LOW_MEMORY_FRAMES 3

/* CR3 of Tally's own tables. */
extern u64 own_cr3;

#endif
