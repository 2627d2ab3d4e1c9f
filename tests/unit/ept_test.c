// EPTs: what they map, and how.
// link: tests/unit/ept_machine.c
#include "ept_machine.h"

#include <stdlib.h>
#include <string.h>

#include "host/frames.h"
#include "x86/vmx.h"

static void identity_map(void **state)
{
    (void)state;
    static const unsigned widths[] = {36, 39, 40, 46, 48};
    for (unsigned i = 0; i < ARRAY_SIZE(widths); i++) {
        struct mtrr_state s = pc(widths[i]);
        struct ept ept = build(CAPS_1G, &s, 6 * GIB);
        check_all(&ept, CAPS_1G, 6 * GIB);
        ept = build(CAPS_2M, &s, 5 * GIB + 3 * PAGE_SIZE);
        check_all(&ept, CAPS_2M, 5 * GIB + 3 * PAGE_SIZE);
    }
    struct mtrr_state s = pc(36);
    struct ept ept = build(CAPS_SMALL, &s, 5 * GIB);
    check_all(&ept, CAPS_SMALL, 5 * GIB);
}

static void large_pages_are_used(void **state)
{
    (void)state;
    struct mtrr_state s = pc(40);
    unsigned level;
    struct ept ept = build(CAPS_1G, &s, 512 * GIB + GIB);
    /* root, lazy, 2 PDPTs, the first GiB's directory, its first 2 MiB's table */
    assert_int_equal(FRAMES - frames_left(), 1 + EPT_LAZY_TABLES + 2 + 1 + 1);
    walk(&ept, 0, &level);
    assert_int_equal(level, 1);
    walk(&ept, 2 * MIB, &level);
    assert_int_equal(level, 2);
    walk(&ept, 3 * GIB, &level);
    assert_int_equal(level, 3);
}

static void hidden_pages(void **state)
{
    (void)state;
    struct mtrr_state s = pc(39);
    const u64 start = 0x5FE00000, count = 1024, junk = 0x1234000 | EPT_READ;
    struct ept ept = build(CAPS_1G, &s, 4 * GIB);
    unsigned before = frames_left(), level;
    for (u64 i = 0; i < count; i++)
        ept_set(&ept, start + i * PAGE_SIZE, junk);
    assert_int_equal(before - frames_left(), 3); /* one directory, two tables */
    ept_set(&ept, 0xFEE00000, 0);
    for (u64 address = 0; address < 4 * GIB; address += PAGE_SIZE) {
        if (address - start < count * PAGE_SIZE)
            assert_int_equal(walk(&ept, address, &level), junk);
        else if (address == 0xFEE00000)
            assert_int_equal(walk(&ept, address, &level), 0);
        else
            check_page(&ept, address, CAPS_1G);
    }
}

static void lazy_mappings(void **state)
{
    (void)state;
    struct mtrr_state s = pc(46);
    add(&s, 0x380000000000, 64 * KIB, CACHE_WC);
    struct ept ept = build(CAPS_2M, &s, 5 * GIB);
    unsigned level, done = 0, left = frames_left();
    assert_true(ept_map_lazy(&ept, 0x1000));        /* mapped already */
    assert_true(ept_map_lazy(&ept, 5 * GIB + 123)); /* in an eager PDPT */
    check_page(&ept, 5 * GIB, CAPS_2M);
    assert_true(ept_map_lazy(&ept, 0x380000000123)); /* mixed types: 4 KiB */
    check_page(&ept, 0x380000000000, CAPS_2M);
    assert_true(ept_map_lazy(&ept, 0x380000010000));
    check_page(&ept, 0x380000010000, CAPS_2M);
    assert_false(ept_map_lazy(&ept, BIT(46)));
    for (u64 address = 6 * GIB; ept_map_lazy(&ept, address); address += GIB, done++)
        check_page(&ept, address, CAPS_2M);
    assert_int_equal(done, EPT_LAZY_TABLES - 1 - 3);
    ept_drop_lazy(&ept);
    assert_int_equal(walk(&ept, 0x380000000000, &level), 0);
    assert_int_equal(walk(&ept, 6 * GIB, &level), 0);
    check_all(&ept, CAPS_2M, 5 * GIB);
    assert_true(ept_map_lazy(&ept, 0x380000000123));
    check_page(&ept, 0x380000000000, CAPS_2M);
    assert_int_equal(left, frames_left());
    ept = build(CAPS_1G, &s, 5 * GIB);
    assert_true(ept_map_lazy(&ept, 0x200000000000));
    check_page(&ept, 0x20003FFFF000, CAPS_1G);
}

static void pointer(void **state)
{
    (void)state;
    struct mtrr_state s = pc(36);
    struct ept ept = build(CAPS_1G, &s, 2 * MIB);
    assert_int_equal(ept_pointer(&ept), POOL_PHYSICAL | 6 | 3 << 3); /* no A and D flags */
    ept = build(EPT_CAP_UC | EPT_CAP_2M, &s, 2 * MIB);
    assert_int_equal(ept_pointer(&ept), POOL_PHYSICAL | 0 | 3 << 3);
}

static void frames_run_out(void **state)
{
    (void)state;
    frames_init(pool, POOL_PHYSICAL, 2);
    memset(pool, 0xFF, 2 * PAGE_SIZE);
    u8 *frame = frame_alloc();
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(frame[i], 0);
    assert_int_equal(frame_physical(frame_alloc()), POOL_PHYSICAL + PAGE_SIZE);
    assert_ptr_equal(frame_pointer(POOL_PHYSICAL + 5), pool + 5);
    expect_assert_failure(frame_alloc());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_map), cmocka_unit_test(large_pages_are_used),
        cmocka_unit_test(hidden_pages), cmocka_unit_test(lazy_mappings),
        cmocka_unit_test(pointer),      cmocka_unit_test(frames_run_out),
    };
    return cmocka_run_group_tests_name("EPT", tests, NULL, NULL);
}
