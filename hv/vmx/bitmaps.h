/* The I/O and MSR bitmaps, shared by all vCPUs: which ports and MSRs cause exits. */
#ifndef TALLY_VMX_BITMAPS_H
#define TALLY_VMX_BITMAPS_H

#include "types.h"

enum msr_access { MSR_READ = 1, MSR_WRITE = 2 };

/* Allocates them; nothing is intercepted. */
void bitmaps_init(void);

/* An access to `port` exits from now on. */
void intercept_port(u16 port);

/* These accesses (a set of enum msr_access) to an MSR of the bitmap's two ranges exit from now on,
 * on all CPUs; those to other MSRs always do. SDM vol. 3, 'MSR-Bitmap Address'. */
void intercept_msr(u32 msr, unsigned accesses);

u64 io_bitmap_physical(unsigned half); /* 0: ports 0 to 7FFF, 1: the others */
u64 msr_bitmap_physical(void);

#endif
