/* A lock for what is off the exit path. Held for a bounded time, never while waiting for a CPU. */
#ifndef TALLY_LIB_SPINLOCK_H
#define TALLY_LIB_SPINLOCK_H

#include "types.h"

struct spinlock {
    u32 taken;
};

static inline void spin_lock(struct spinlock *lock)
{
    while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
