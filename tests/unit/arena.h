/* A machine's physical memory for tests: RAM can be touched, whatever else is touched is a crash.
 */
#ifndef TALLY_TESTS_ARENA_H
#define TALLY_TESTS_ARENA_H

#include <sys/mman.h>

#include "types.h"

#define ARENA_SIZE (5 * GIB)

static u8 *arena;

static void arena_clear(void)
{
    if (arena)
        munmap(arena, ARENA_SIZE);
    arena = mmap(NULL, ARENA_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(arena != MAP_FAILED);
}

static void arena_ram(u64 base, u64 size)
{
    assert_int_equal(mprotect(arena + base, size, PROT_READ | PROT_WRITE), 0);
}

#endif
