/*
 * Tally's own memory: a reserved range behind RAM, whole 2 MiB pages of it. It reads as ones,
 * writes to it have no effect on anything, and all goes on.
 */
#include "harness/families.h"
#include "kernel/memory_map.h"
#include "harness/run.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

#define ONES (~0ull)

CODE64(jump, "jmp rdi");

static volatile u64 *at(u64 address)
{
    return (volatile u64 *)address;
}

static struct {
    bool ones, nothing_else, still_ones, no_code;
} seen;

static void look(u64 base, u64 end)
{
    u64 middle = align_down((base + end) / 2, PAGE_SIZE);
    struct run into = {.mode = MODE_64, .code = CODE(jump), .gpr[RDI] = middle + 2 * PAGE_SIZE};

    note("reserved behind RAM: %lx to %lx", base, end);
    seen.ones = *at(base) == ONES && *at(middle) == ONES && *at(end - 8) == ONES;
    *at(base - 8) = 0x5AFE;
    *at(base) = *at(base + PAGE_SIZE) = *at(middle) = *at(end - 8) = 0;
    seen.nothing_else = *at(base - 8) == 0x5AFE;
    seen.still_ones = *at(middle + PAGE_SIZE) == ONES;
    run(&into);
    seen.no_code = into.vector == VECTOR_UD;
}

void test_hidden_memory(void)
{
    const struct memory_range *hidden = under_tally() ? memory_map_hidden() : NULL;

    if (hidden)
        look(hidden->base, hidden->end);
    tally_ok(hidden, "there is a reserved range behind RAM");
    tally_ok(seen.ones, "it reads as ones");
    tally_ok(seen.nothing_else, "writes to it change nothing else");
    tally_ok(seen.still_ones, "where nothing was written it still reads as ones");
    tally_ok(seen.no_code, "it holds no instructions");
}
