#include "random_source.h"

u64 random_state;
static const u8 *next, *end;

void random_from(const u8 *bytes, size_t size)
{
    random_state = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < size; i++)
        random_state = (random_state ^ bytes[i]) * 0x100000001B3;
    random_state |= 1;
    next = bytes;
    end = bytes + size;
}

void random_seeded_by(const u8 *bytes, size_t size)
{
    random_from(bytes, size);
    next = end;
}

static u64 generate(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static u64 take(unsigned bytes)
{
    u64 value = 0;
    if (next == end)
        return generate();
    while (bytes-- && next != end)
        value = value << 8 | *next++;
    return value;
}

u64 random64(void)
{
    return take(8);
}

u64 below(u64 limit)
{
    return take(limit <= 0x100 ? 1 : limit <= 0x10000 ? 2 : 8) % limit;
}

bool one_in(u64 n)
{
    return below(n) == 0;
}
