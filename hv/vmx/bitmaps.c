#include "vmx/bitmaps.h"
#include "lib/string.h"
#include "host/frames.h"

#define MSR_RANGE 0x2000u /* MSRs in each of the two ranges */
#define MSR_HIGH 0xC0000000u
#define MSR_WRITES (PAGE_SIZE / 2)
#define MSR_HIGH_OFFSET (PAGE_SIZE / 4)

static u8 *io_bitmap[2];
static u8 *msr_bitmap;

void bitmaps_init(bool all_msrs)
{
    io_bitmap[0] = frame_alloc();
    io_bitmap[1] = frame_alloc();
    msr_bitmap = frame_alloc();
    if (all_msrs)
        memset(msr_bitmap, 0xFF, PAGE_SIZE);
}

static void set_bit(u8 *bitmap, u32 bit, bool on)
{
    u8 mask = (u8)(1 << bit % 8);
    bitmap[bit / 8] = on ? bitmap[bit / 8] | mask : bitmap[bit / 8] & (u8)~mask;
}

void intercept_port(u16 port)
{
    set_bit(io_bitmap[port >> 15], port & 0x7FFF, true);
}

static void intercept_msr(u32 msr, unsigned accesses, bool on)
{
    u8 *part = msr_bitmap;
    if (msr >= MSR_HIGH && msr < MSR_HIGH + MSR_RANGE)
        part += MSR_HIGH_OFFSET;
    else if (msr >= MSR_RANGE)
        return;
    if (accesses & MSR_READ)
        set_bit(part, msr % MSR_RANGE, on);
    if (accesses & MSR_WRITE)
        set_bit(part + MSR_WRITES, msr % MSR_RANGE, on);
}

void intercept_msrs(u32 first, u32 last, unsigned accesses, bool on)
{
    for (u32 msr = first; msr <= last; msr++)
        intercept_msr(msr, accesses, on);
}

u64 io_bitmap_physical(unsigned half)
{
    return frame_physical(io_bitmap[half]);
}

u64 msr_bitmap_physical(void)
{
    return frame_physical(msr_bitmap);
}
