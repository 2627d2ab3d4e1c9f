/* Unpacks the image: the LZMA format, as written with lc=3, lp=0, pb=0 and an end mark. */
#include "types.h"

#define LITERAL_CONTEXT_BITS 3
#define STATES 12
#define FIRST_STATE_AFTER_COPY 7 /* below: the last was a literal */
#define LEAST_COPY 2
#define END_MARK 0xFFFFFFFF
#define HEADER 13

/* Called by boot/unpack.asm. */
void unpack_image(u8 *out, const u8 *packed);

/* ---- Bits: a range coder, with a probability that each decision learns ---- */

static const u8 *input;
static u32 range, code;

static void fill(void)
{
    if (range >> 24)
        return;
    range <<= 8;
    code = code << 8 | *input++;
}

/* `zero` is the probability of a 0, in 1/2048. */
static u32 bit(u16 *zero)
{
    fill();
    u32 bound = (range >> 11) * *zero;
    if (code < bound) {
        range = bound;
        *zero += (2048 - *zero) >> 5;
        return 0;
    }
    range -= bound;
    code -= bound;
    *zero -= *zero >> 5;
    return 1;
}

static u32 even_bits(unsigned count)
{
    u32 value = 0;
    while (count--) {
        fill();
        range >>= 1;
        bool one = code >= range;
        code -= one ? range : 0;
        value = value << 1 | one;
    }
    return value;
}

/* A number of `count` bits, the highest first; each bit has its model by the ones before it. */
static u32 number(u16 *models, unsigned count)
{
    u32 at = 1;
    while (!(at >> count))
        at = at << 1 | bit(&models[at]);
    return at - (1u << count);
}

static u32 number_lowest_first(u16 *models, unsigned count)
{
    u32 at = 1, value = 0;
    for (unsigned i = 0; i < count; i++) {
        u32 b = bit(&models[at]);
        at = at << 1 | b;
        value |= b << i;
    }
    return value;
}

/* ---- Literals and copies ---- */

struct length_models {
    u16 beyond_low, beyond_mid;
    u16 low[8], mid[8], high[256];
};

static struct {
    u16 copy[STATES], again[STATES], not_last[STATES], not_second[STATES], not_third[STATES];
    u16 longer_than_1[STATES];
    u16 literal[1 << LITERAL_CONTEXT_BITS][3 * 256];
    u16 distance_class[4][64], distance_low[128], distance_align[16];
    struct length_models length, length_again;
} models;

static u32 length(struct length_models *m)
{
    if (!bit(&m->beyond_low))
        return LEAST_COPY + number(m->low, 3);
    if (!bit(&m->beyond_mid))
        return LEAST_COPY + 8 + number(m->mid, 3);
    return LEAST_COPY + 16 + number(m->high, 8);
}

/* Less 1. The class gives the two highest bits and how many follow. */
static u32 distance(u32 copy_length)
{
    u32 by_length = copy_length - LEAST_COPY < 3 ? copy_length - LEAST_COPY : 3;
    u32 class = number(models.distance_class[by_length], 6);
    if (class < 4)
        return class;
    unsigned bits = (class >> 1) - 1;
    u32 high = (2 | (class & 1)) << bits;
    if (class < 14)
        return high + number_lowest_first(&models.distance_low[high - class], bits);
    high += even_bits(bits - 4) << 4;
    return high + number_lowest_first(models.distance_align, 4);
}

/* After a copy, what follows at its source is most likely not this literal: until the first bit in
 * which the two differ, models of their own. */
static u8 literal(u8 before, bool after_copy, u8 unlikely_byte)
{
    u16 *m = models.literal[before >> (8 - LITERAL_CONTEXT_BITS)];
    u32 at = 1;
    while (after_copy && at < 256) {
        u32 other = unlikely_byte >> 7;
        unlikely_byte <<= 1;
        u32 b = bit(&m[(1 + other) * 256 + at]);
        at = at << 1 | b;
        after_copy = b == other;
    }
    while (at < 256)
        at = at << 1 | bit(&m[at]);
    return (u8)at;
}

/* ---- The image ---- */

/* What the next decision depends on. */
static unsigned state;
static u32 recent[4]; /* distances, the last one first */

/* A new copy, or again from one of the recent distances, which then comes to the front. */
static u32 new_copy(void)
{
    u32 count = length(&models.length);
    for (unsigned i = 3; i; i--)
        recent[i] = recent[i - 1];
    recent[0] = distance(count);
    return count;
}

static void choose_recent(void)
{
    unsigned chosen = 1;
    if (bit(&models.not_second[state]))
        chosen = 2 + bit(&models.not_third[state]);
    u32 front = recent[chosen];
    for (; chosen; chosen--)
        recent[chosen] = recent[chosen - 1];
    recent[0] = front;
}

/* How many bytes to copy from recent[0]. */
static u32 copy(bool after_copy)
{
    if (!bit(&models.again[state])) {
        state = after_copy ? 10 : 7;
        return new_copy();
    }
    if (bit(&models.not_last[state])) {
        choose_recent();
    } else if (!bit(&models.longer_than_1[state])) {
        state = after_copy ? 11 : 9;
        return 1;
    }
    state = after_copy ? 11 : 8;
    return length(&models.length_again);
}

static void start(const u8 *packed)
{
    for (u16 *m = (u16 *)&models; m < (u16 *)(&models + 1); m++)
        *m = 1024;
    input = packed + HEADER + 1; /* a first byte that is always 0 */
    range = ~0u;
    for (unsigned i = 0; i < 4; i++)
        code = code << 8 | *input++;
}

void unpack_image(u8 *out, const u8 *packed)
{
    u8 before = 0;
    for (start(packed);; before = out[-1]) {
        bool after_copy = state >= FIRST_STATE_AFTER_COPY;
        if (!bit(&models.copy[state])) {
            *out = literal(before, after_copy, after_copy ? *(out - recent[0] - 1) : 0);
            out++;
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        u32 count = copy(after_copy);
        if (recent[0] == END_MARK)
            return;
        for (; count; count--, out++)
            *out = *(out - recent[0] - 1);
    }
}
