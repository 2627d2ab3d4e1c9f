/* XCR0, which Tally writes by way of its own fix-up table only. */
#ifndef GUEST_XCR0_H
#define GUEST_XCR0_H

#include "types.h"

/* Faults for what the CPU has not got. */
static inline void xsetbv(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

static inline u64 xgetbv(void)
{
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (u64)high << 32 | low;
}

#endif
