#include "mm/frames.h"

#include "lib/fatal.h"
#include "lib/string.h"

static struct {
    u8 *base;
    u64 physical;
    unsigned count, used;
} pool;

void frames_init(void *base, u64 physical, unsigned count)
{
    pool.base = base;
    pool.physical = physical;
    pool.count = count;
    pool.used = 0;
}

void *frame_alloc(void)
{
    if (pool.used == pool.count)
        fatal("out of memory: all %u page frames of Tally's own are in use", pool.count);
    return memset(pool.base + pool.used++ * PAGE_SIZE, 0, PAGE_SIZE);
}

unsigned frames_left(void)
{
    return pool.count - pool.used;
}

u64 frame_physical(const void *frame)
{
    return pool.physical + (u64)((const u8 *)frame - pool.base);
}

void *frame_pointer(u64 physical)
{
    return pool.base + (physical - pool.physical);
}
