/* A lock for what is off the exit path. Held for a bounded time. */
#ifndef TALLY_LIB_SPINLOCK_H
#define TALLY_LIB_SPINLOCK_H

#include "types.h"

struct spinlock {
    u32 taken;
};

static inline bool spin_try_lock(struct spinlock *lock)
{
    return !__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE);
}

static inline void spin_lock(struct spinlock *lock)
{
    while (!spin_try_lock(lock))
        __builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
