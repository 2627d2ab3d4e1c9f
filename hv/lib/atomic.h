/* Words that several CPUs read and write, and a lock. All CPUs see all of these in one order, which
 * the protocols between CPUs (smp/) count on. */
#ifndef TALLY_LIB_ATOMIC_H
#define TALLY_LIB_ATOMIC_H

#include "types.h"

#define atomic_load(word) __atomic_load_n(word, __ATOMIC_SEQ_CST)
#define atomic_store(word, value) __atomic_store_n(word, value, __ATOMIC_SEQ_CST)

/* These return what was there before. */
#define atomic_exchange(word, value) __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST)
#define atomic_add(word, value) __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST)
#define atomic_or(word, bits) __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST)

/* If `*word` is `*expected`, it becomes `value`; if not, false, and `*expected` is what it is. */
#define atomic_replace(word, expected, value)                                                      \
    __atomic_compare_exchange_n(word, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* A lock for what is off the exit path. Held for a bounded time. */
struct spinlock {
    u32 taken;
};

static inline bool spin_try_lock(struct spinlock *lock)
{
    return !atomic_exchange(&lock->taken, 1);
}

static inline void spin_lock(struct spinlock *lock)
{
    while (!spin_try_lock(lock))
        __builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
    atomic_store(&lock->taken, 0);
}

#endif
