/* Maps against an oracle that knows the type of every single unit of a small memory. */
#include "platform/memory_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNITS 200

static unsigned pick(unsigned limit)
{
    return (unsigned)random() % limit;
}

static void check_against(const struct memory_map *map, const u32 *type)
{
    u64 end = 0;
    u32 seen[UNITS] = {0};
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *r = &map->range[i];
        assert_true(r->size > 0 && r->base >= end);
        assert_false(i > 0 && r->base == end && r->type == map->range[i - 1].type);
        end = r->base + r->size;
        assert_true(end <= UNITS);
        for (u64 unit = r->base; unit < end; unit++)
            seen[unit] = r->type;
    }
    assert_memory_equal(seen, type, sizeof(seen));
}

static void same_as_the_oracle(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 3000; round++) {
        struct memory_map map = {0};
        u32 type[UNITS] = {0};
        for (unsigned step = pick(40); step > 0; step--) {
            u64 base = pick(UNITS), size = pick(30);
            u32 new = 1 + pick(5);
            bool set = pick(3) == 0;
            if (size > UNITS - base)
                size = UNITS - base;
            assert_true((set ? memory_map_set : memory_map_add)(&map, base, size, new));
            for (u64 unit = base; unit < base + size; unit++)
                type[unit] = set || new > type[unit] ? new : type[unit];
            check_against(&map, type);
        }
        for (unsigned i = 0; i < 20; i++) {
            u64 base = pick(UNITS), size = pick(20), unit = base;
            while (unit < UNITS && unit < base + size && type[unit] == MEMORY_RAM)
                unit++;
            if (size > 0)
                assert_int_equal(memory_map_is_ram(&map, base, size), unit == base + size);
        }
        u64 top = UNITS;
        while (top > 0 && type[top - 1] != MEMORY_RAM)
            top--;
        assert_int_equal(memory_map_top_of_ram(&map), top);
    }
}

/* The oracle's way of finding room: try everything. */
static bool is_free(const struct memory_map *map, u64 base, u64 size, u64 floor, u64 limit,
                    const struct memory_range *avoid, unsigned count)
{
    if (base < floor || base + size > limit || !memory_map_is_ram(map, base, size))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (avoid[i].base < base + size && base < avoid[i].base + avoid[i].size)
            return false;
    }
    return true;
}

static void room_is_found(void **state)
{
    (void)state;
    srandom(2);
    for (unsigned round = 0; round < 5000; round++) {
        struct memory_map map = {0};
        struct memory_range avoid[6];
        for (unsigned i = 0; i < 8; i++)
            memory_map_add(&map, pick(UNITS), pick(60), 1 + (pick(4) == 0));
        for (unsigned i = 0; i < ARRAY_SIZE(avoid); i++)
            avoid[i] = (struct memory_range){pick(UNITS), 1 + pick(15), 0};
        u64 size = 1 + pick(20), align = 1ull << pick(4), floor = 1 + pick(40);
        u64 limit = pick(UNITS + 50), highest = 0, lowest = 0;
        for (u64 base = align_up(1, align); base < UNITS + 60; base += align) {
            if (!is_free(&map, base, size, floor, limit, avoid, ARRAY_SIZE(avoid)))
                continue;
            highest = base;
            lowest = lowest ? lowest : base;
        }
        assert_int_equal(memory_map_find(&map, HIGHEST, size, align, floor, limit, avoid, 6),
                         highest);
        assert_int_equal(memory_map_find(&map, LOWEST, size, align, floor, limit, avoid, 6),
                         lowest);
    }
}

static void impossible_ranges(void **state)
{
    (void)state;
    struct memory_map map = {0};
    assert_true(memory_map_add(&map, 0x1000, 0, MEMORY_RAM));
    assert_true(memory_map_add(&map, BIT(63), BIT(63), MEMORY_RAM));
    assert_int_equal(map.count, 0);
    assert_true(
        memory_map_add(&map, 0x1000, ~0ull, MEMORY_RAM)); /* wraps: ends where memory does */
    assert_int_equal(map.range[0].size, BIT(52) - 0x1000);
    assert_false(memory_map_is_ram(&map, 0x2000, ~0ull));
    assert_false(memory_map_is_ram(&map, ~0ull, 2));
    assert_true(memory_map_add(&map, 0, 0x1000, 0)); /* a type that nobody knows */
    assert_int_equal(map.range[0].type, MEMORY_RESERVED);
    assert_int_equal(memory_map_find(&map, HIGHEST, ~0ull, PAGE_SIZE, 1, ~0ull, NULL, 0), 0);
    assert_int_equal(memory_map_find(&map, LOWEST, ~0ull, PAGE_SIZE, 1, ~0ull, NULL, 0), 0);
}

static void a_full_map(void **state)
{
    (void)state;
    struct memory_map map = {0};
    for (unsigned i = 0; i < MEMORY_MAP_MAX; i++)
        assert_true(memory_map_add(&map, i * 2 * PAGE_SIZE, PAGE_SIZE, MEMORY_RAM));
    assert_false(memory_map_add(&map, PAGE_SIZE, PAGE_SIZE / 2, MEMORY_RESERVED));
    assert_true(memory_map_add(&map, PAGE_SIZE, PAGE_SIZE, MEMORY_RAM)); /* closes a gap */
    assert_int_equal(map.count, MEMORY_MAP_MAX - 1);
    assert_false(memory_map_set(&map, 0x10, 0x10, MEMORY_RESERVED)); /* would need two more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_the_oracle),
        cmocka_unit_test(room_is_found),
        cmocka_unit_test(impossible_ranges),
        cmocka_unit_test(a_full_map),
    };
    return cmocka_run_group_tests_name("memory_map", tests, NULL, NULL);
}
