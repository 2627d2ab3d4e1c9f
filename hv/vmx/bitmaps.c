#include "vmx/controls.h"
#include "features.h"
#include "host/frames.h"

#define MSR_WRITES (PAGE_SIZE / 2)

static u8 *io_bitmap[2];
static u8 *msr_bitmap;

void bitmaps_init(void)
{
    io_bitmap[0] = frame_alloc();
    io_bitmap[1] = frame_alloc();
    msr_bitmap = frame_alloc();
}

static void set_bit(u8 *bitmap, u32 bit)
{
    bitmap[bit / 8] |= (u8)(1 << bit % 8);
}

void intercept_port(u16 port)
{
    set_bit(io_bitmap[port >> 15], port & 0x7FFF);
}

void intercept_msr(u32 msr, unsigned accesses)
{
    u32 bit = msr < MSR_RANGE ? msr : msr - MSR_HIGH + MSR_RANGE;
    if (accesses & MSR_READ)
        set_bit(msr_bitmap, bit);
    if (accesses & MSR_WRITE)
        set_bit(msr_bitmap + MSR_WRITES, bit);
}

u64 io_bitmap_physical(unsigned half)
{
    return frame_physical(io_bitmap[half]);
}

u64 msr_bitmap_physical(void)
{
    return frame_physical(msr_bitmap);
}
