/*
 * Tally's own memory: a reserved range behind RAM, whole 2 MiB pages of it. It reads as ones,
 * writes to it have no effect on anything, and all goes on.
 */
#include "harness/families.h"
#include "kernel/memory_map.h"
#include "harness/run.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"

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
    const volatile struct window *w = window_of_tally();
    u64 window_end = w ? (u64)w + w->pages * PAGE_SIZE : base;
    u64 middle = align_down((window_end + end) / 2, PAGE_SIZE);
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

/* The window may be read; what is written to it, or runs there, meets something else, until its
 * leaf is asked. */
static void look_through_the_window(void)
{
    const volatile struct window *w = under_tally() ? window_of_tally() : NULL;
    struct run into = {.mode = MODE_64, .code = CODE(jump), .gpr[RDI] = (u64)w};
    u64 mark = w ? w->mark : 0, before = w ? window_count(w, EXIT_CPUID) : 0;
    cpuid(0, 0);
    u64 after = w ? window_count(w, EXIT_CPUID) : 0;
    tally_ok(mark == WINDOW_MARK && w->address == (u64)w,
             "the window has its mark and its address");
    tally_ok(after == before + 1, "and its counters count");
    if (w)
        *(volatile u64 *)w = 0;
    tally_ok(w && w->mark != WINDOW_MARK, "a write puts another page in its place");
    tally_ok(w && window_of_tally()->mark == WINDOW_MARK,
             "asked for, the window is back, unchanged");
    run(&into);
    tally_ok(into.vector == VECTOR_UD, "it holds no instructions");
    tally_ok(w && window_of_tally()->mark == WINDOW_MARK, "and is back again");
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
    look_through_the_window();
}
