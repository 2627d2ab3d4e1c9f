/* The I/O and MSR bitmaps, shared by all vCPUs: which ports and MSRs cause exits. */
#ifndef TALLY_VMX_BITMAPS_H
#define TALLY_VMX_BITMAPS_H

#include "types.h"

enum msr_access { MSR_READ = 1, MSR_WRITE = 2 };

/* Allocates both. Nothing is intercepted, or with `all_msrs` every MSR access. */
void bitmaps_init(bool all_msrs);

/* An access to `port` exits from now on. */
void intercept_port(u16 port);

/* Accesses (a set of enum msr_access) to the MSRs first to last exit, or no longer do. MSRs
 * outside the bitmap's two ranges always exit. SDM vol. 3, 'MSR-Bitmap Address'. */
void intercept_msrs(u32 first, u32 last, unsigned accesses, bool on);

u64 io_bitmap_physical(unsigned half); /* 0: ports 0 to 7FFF, 1: the others */
u64 msr_bitmap_physical(void);

#endif
