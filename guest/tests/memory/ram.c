/*
 * All the memory that the map tells of is the guest's: each page keeps what is written to it,
 * `full-ram` on the command line: each word. The guest's own memory and the BIOS data are left
 * alone.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "kernel/memory.h"
#include "kernel/memory_map.h"
#include "kernel/options.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define WORDS (PAGE_SIZE / sizeof(u64))

extern u8 image_start[], image_bss_end[]; /* linker.ld */

/* Ends of real mode's memory: descriptors.h and legacy.asm. */
#define REAL_MODE_END 0xD000

static bool is_own(u64 page)
{
    return page < PAGE_SIZE || (page >= LOW_MEMORY && page < REAL_MODE_END) ||
           (page + PAGE_SIZE > (u64)image_start && page < (u64)image_bss_end);
}

/* What belongs into a word: different in each, and for each value of `seed`. */
static u64 pattern(u64 address, u64 seed)
{
    return (address ^ seed) * 0x9E3779B97F4A7C15ull;
}

/* Fills the page, or counts the words that are not as filled. */
static u64 visit(u64 page, u64 seed, bool fill)
{
    volatile u64 *word = memory_at(page);
    u32 step = option_given("full-ram") ? 1 : WORDS - 1;
    u64 wrong = 0;

    for (u32 i = 0; i < WORDS; i += step) {
        u64 value = pattern(page + i * sizeof(u64), seed);

        if (fill)
            word[i] = value;
        else
            wrong += word[i] != value;
    }
    if (wrong)
        note("page %lx: %lu words changed", page, wrong);
    return wrong;
}

static u64 visit_all(u64 seed, bool fill, u64 *pages)
{
    u64 wrong = 0;

    *pages = 0;
    for (u32 i = 0; i < memory_map.count && wrong < 20; i++) {
        const struct memory_range *range = &memory_map.range[i];

        for (u64 page = align_up(range->base, PAGE_SIZE);
             range->type == MEMORY_RAM && page + PAGE_SIZE <= range->end && wrong < 20;
             page += PAGE_SIZE) {
            if (is_own(page))
                continue;
            wrong += visit(page, seed, fill);
            ++*pages;
        }
    }
    return wrong;
}

static void fill_and_check(u64 seed, const char *name)
{
    u64 pages;

    visit_all(seed, true, &pages);
    ok(visit_all(seed, false, &pages) == 0 && pages > 0, "%s", name);
}

void test_ram(void)
{
    fill_and_check(0, "every page of RAM keeps what is written");
    fill_and_check(~0ull, "and so it does with the opposite bits");
    memory_at_end();
}
