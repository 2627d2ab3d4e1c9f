/* A window of pages with the rights that tests want; everything else is open to everyone. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include "types.h"

enum window_page {
    WINDOW_PLAIN,   /* readable, writable, executable in every ring */
    WINDOW_MISSING, /* not present */
    WINDOW_READ_ONLY,
    WINDOW_SUPERVISOR, /* closed to ring 3 */
    WINDOW_NO_EXECUTE, /* WINDOW_PLAIN's rights where the CPU has no NX */
    WINDOW_RESERVED,   /* a reserved bit is set in its entry */
    WINDOW_PAGES,
};

#define WINDOW 0x3FE00000u /* linear; it takes 2 MiB */
#define WINDOW_PAGE(page) (WINDOW + (page)*4096u)

enum page_fault_error {
    PF_PRESENT = 1 << 0,
    PF_WRITE = 1 << 1,
    PF_USER = 1 << 2,
    PF_RESERVED = 1 << 3,
    PF_FETCH = 1 << 4,
};

void memory_init(void);
bool has_no_execute(void);

/* Where the 2 MiB around a physical address can be reached, wherever it is, until the next call. */
void *memory_at(u64 physical);
void memory_at_end(void);

/* True if the TLB never shows an old frame of the window's plain page after flush(). */
bool window_follows_its_entry(void (*flush)(void));

/* The frame behind a page of the window, and whether it was written to since the last call. */
void *window_frame(enum window_page page);
bool window_written(enum window_page page);

extern u64 pml4[512];
extern u32 page_directory_32[1024]; /* the same addresses by 32-bit paging */

#endif
