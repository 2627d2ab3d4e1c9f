#include "vmx/controls.h"
#include "features.h"
#include "host/frames.h"
#include "lib/string.h"

#define SMI_REQUEST 0xB2 /* Intel's chipsets: an OUT is an SMI */

/* Of ports, two pages, and of MSRs. */
static u8 *bitmaps;
#define MSR_READS (2 * PAGE_SIZE)
#define MSR_WRITES (MSR_READS + PAGE_SIZE / 2)

void bitmaps_init(void)
{
    bitmaps = frames_alloc(3);
}

static void set_bit(u8 *bitmap, u32 bit)
{
    bitmap[bit / 8] |= (u8)(1 << bit % 8);
}

void intercept_port(u16 port)
{
    set_bit(bitmaps, port);
}

void intercept_most_ports(void)
{
    memset(bitmaps, 0xFF, MSR_READS);
    bitmaps[SMI_REQUEST / 8] &= (u8) ~(1 << SMI_REQUEST % 8);
}

void intercept_msr(u32 msr, unsigned accesses)
{
    u32 bit = msr < MSR_RANGE ? msr : msr - MSR_HIGH + MSR_RANGE;
    if (accesses & MSR_READ)
        set_bit(bitmaps + MSR_READS, bit);
    if (accesses & MSR_WRITE)
        set_bit(bitmaps + MSR_WRITES, bit);
}

u64 io_bitmap_physical(unsigned half)
{
    return frame_physical(bitmaps + half * PAGE_SIZE);
}

u64 msr_bitmap_physical(void)
{
    return frame_physical(bitmaps + MSR_READS);
}
