#include "fuzz/fuzz.h"

static u64 state;

void fuzz_seed(u64 seed)
{
    state = seed * 0x9E3779B97F4A7C15ull + 0x632BE59BD9B4E019ull;
    if (!state) /* the one state that xorshift never leaves */
        state = 1;
    for (u32 i = 0; i < 16; i++)
        fuzz_random();
}

u64 fuzz_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

u32 fuzz_below(u32 end)
{
    return (u32)((fuzz_random() >> 32) * end >> 32);
}

bool fuzz_one_in(u32 n)
{
    return fuzz_below(n) == 0;
}
