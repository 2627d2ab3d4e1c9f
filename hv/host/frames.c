#include "host/frames.h"

#include "lib/print.h"
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

void *frames_alloc(unsigned count)
{
    if (count > pool.count - pool.used)
        fatal("out of memory: all %u page frames of Tally's own are in use", pool.count);
    u8 *first = pool.base + pool.used * PAGE_SIZE;
    pool.used += count;
    return memset(first, 0, count * PAGE_SIZE);
}

void *frame_alloc(void)
{
    return frames_alloc(1);
}

void *frame_last(void)
{
    if (!frames_left())
        fatal("out of memory: no page is left");
    return memset(pool.base + --pool.count * PAGE_SIZE, 0, PAGE_SIZE);
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
