/* Integer types of the whole project; the only typedefs there are. */
#ifndef TALLY_TYPES_H
#define TALLY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(n) ((u64)1 << (n))
#define BITS(high, low) ((BIT((high) + 1 - (low)) - 1) << (low))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* In a file that is compiled for speed: this for size, it is not on the usual way of an exit. */
#define RARELY __attribute__((cold, noinline))

#define KIB ((u64)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE_SIZE (4 * KIB)
#define PAGE_2M (2 * MIB)
#define PAGE_1G GIB

/* `align` is a power of two. */
static inline u64 align_down(u64 value, u64 align)
{
    return value & ~(align - 1);
}

static inline u64 align_up(u64 value, u64 align)
{
    return align_down(value + align - 1, align);
}

static inline u64 low_bytes(u64 value, unsigned bytes)
{
    return bytes == 8 ? value : value & (BIT(8 * bytes) - 1);
}

static inline bool ranges_overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a < b + b_size && b < a + a_size;
}

#endif
