// Memory types: EPTs follow the MTRRs, also when the guest changes them.
// link: tests/unit/ept_machine.c
#include "ept_machine.h"

#include <stdlib.h>
#include <string.h>

#include "host/frames.h"
#include "x86/vmx.h"

static void random_layouts(void **state)
{
    (void)state;
    static const u8 types[] = {CACHE_UC, CACHE_WC, CACHE_WT, CACHE_WP, CACHE_WB};
    static const u64 capabilities[] = {CAPS_SMALL, CAPS_2M, CAPS_1G};
    srandom(1);
    for (unsigned round = 0; round < 60; round++) {
        struct mtrr_state s = {.physical_bits = 36 + (unsigned)random() % 13};
        s.def_type =
            types[random() % 5] | (random() % 8 ? BIT(11) : 0) | (random() % 4 ? BIT(10) : 0);
        s.cap = random() % 8 ? CAP_FIXED : 0;
        for (unsigned i = 0; i < MTRR_FIXED_RANGES; i++)
            s.fixed[i] = types[random() % 5];
        for (unsigned i = (unsigned)random() % 10; i > 0; i--) {
            u64 size = BIT(12 + random() % 21);
            add(&s, align_down((u64)random() * 2, size), size, types[random() % 5]);
            if (random() % 4 == 0)
                s.variable[random() % (s.cap & 0xFF)].mask &= ~VALID;
        }
        if (random() % 4 == 0) /* a mask with a hole */
            s.variable[0].mask &= ~BIT(20 + random() % 8);
        u64 caps = capabilities[random() % 3], to = GIB + (u64)(random() % 1000) * PAGE_SIZE;
        struct ept ept = build(caps, &s, to);
        check_all(&ept, caps, to);
        for (unsigned i = 0; i < 2000; i++) { /* what is said to be uniform is */
            u64 address = (u64)random() << 2, until;
            u8 type = mtrr_type(&s, address, &until);
            assert_true(until > address && until <= BIT(s.physical_bits));
            assert_int_equal(type, oracle(&s, address));
            assert_int_equal(type, oracle(&s, until - 1));
            assert_int_equal(type, oracle(&s, address + (u64)random() % (until - address)));
        }
    }
}

static void precedence(void **state)
{
    (void)state;
    struct mtrr_state s = {.def_type = BIT(11) | CACHE_WC, .physical_bits = 40};
    u64 until;
    add(&s, 0, GIB, CACHE_WB);
    add(&s, 256 * MIB, 256 * MIB, CACHE_WT);
    add(&s, 512 * MIB, MIB, CACHE_UC);
    add(&s, 513 * MIB, MIB, CACHE_WP);
    assert_int_equal(mtrr_type(&s, 0, &until), CACHE_WB);
    assert_int_equal(until, 256 * MIB);
    assert_int_equal(mtrr_type(&s, 300 * MIB, &until), CACHE_WT);
    assert_int_equal(until, 512 * MIB);
    assert_int_equal(mtrr_type(&s, 512 * MIB, &until), CACHE_UC);
    assert_int_equal(until, 514 * MIB); /* WP over WB is undefined: UC */
    assert_int_equal(mtrr_type(&s, GIB, &until), CACHE_WC);
    assert_int_equal(until, BIT(40));
    s.def_type = CACHE_WB; /* not enabled */
    assert_int_equal(mtrr_type(&s, 0, &until), CACHE_UC);
    assert_int_equal(until, BIT(40));
}

static void new_types(void **state)
{
    (void)state;
    const u64 hidden = 0x5FE00000;
    struct mtrr_state s = pc(40);
    unsigned level;
    struct ept ept = build(CAPS_1G, &s, 4 * GIB);
    ept_set(&ept, hidden, 0);
    assert_true(ept_map_lazy(&ept, 6 * GIB));
    add(&s, 6 * GIB, GIB, CACHE_WC);
    add(&s, GIB + 64 * MIB, 3 * PAGE_SIZE, CACHE_UC);
    add(&s, 2 * GIB, GIB, CACHE_WT);
    s.fixed[30] = CACHE_UC;
    assert_true(ept_retype(&ept, 0, BIT(40)));
    for (u64 address = 0; address < 4 * GIB; address += PAGE_SIZE)
        if (address != hidden)
            check_page(&ept, address, CAPS_1G);
    check_page(&ept, 6 * GIB, CAPS_1G);
    assert_int_equal(walk(&ept, hidden, &level), 0);
    walk(&ept, 2 * GIB, &level);
    assert_int_equal(level, 3); /* of one type, so not split */

    for (unsigned i = 0; i < EPT_SPLITS + 3; i++) { /* each splits another page, up to the limit */
        s.variable[(s.cap & 0xFF) - 1].base = (i * 6 * MIB + PAGE_SIZE) | CACHE_UC;
        s.variable[(s.cap & 0xFF) - 1].mask = (BIT(40) - PAGE_SIZE) | VALID;
        assert_true(ept_retype(&ept, 0, BIT(40)));
    }
    assert_int_equal(ept.splits_left, 0);
    assert_int_equal(walk(&ept, (EPT_SPLITS + 2) * 6 * MIB, &level) >> 3 & 7, CACHE_UC);
    assert_int_equal(level, 2);

    ept = build(CAPS_1G, &s, 4 * GIB);
    while (frames_left())
        frame_alloc();
    add(&s, 2 * GIB + MIB, MIB, CACHE_UC); /* over WT: UC */
    assert_true(ept_retype(&ept, 2 * GIB + MIB, 2 * GIB + 2 * MIB));
    assert_int_equal(walk(&ept, 2 * GIB, &level) >> 3 & 7, CACHE_UC);
    assert_int_equal(level, 3);
    check_page(&ept, 3 * GIB, CAPS_1G);
}

static struct mtrr_state random_change(const struct mtrr_state *before)
{
    static const u8 types[] = {CACHE_UC, CACHE_WC, CACHE_WT, CACHE_WP, CACHE_WB};
    struct mtrr_state s = *before;
    u64 size = BIT(12 + random() % 20);
    switch (random() % 4) {
    case 0: s.fixed[random() % MTRR_FIXED_RANGES] = types[random() % 5]; break;
    case 1: s.def_type = MTRR_ON | types[random() % 5]; break;
    case 2: s.variable[0].mask ^= VALID; break;
    default: add(&s, align_down((u64)random() * 2, size), size, types[random() % 5]);
    }
    return s;
}

/* Between two states only what changes is looked at, and all that changes is in there. */
static void changed_types(void **state)
{
    (void)state;
    srandom(2);
    for (unsigned round = 0; round < 40; round++) {
        struct mtrr_state s = pc(40), now = s;
        struct ept ept = build(CAPS_1G, &now, 4 * GIB);
        for (unsigned change = 0; change < 6; change++) {
            u64 from, to;
            struct mtrr_state before = now;
            now = random_change(&now);
            bool differ = mtrr_difference(&before, &now, &from, &to);
            for (unsigned i = 0; i < 3000; i++) {
                u64 address = (u64)random() << 2;
                if (i % 2)
                    address %= 2 * MIB;
                if (oracle(&before, address) != oracle(&now, address))
                    assert_true(differ && address >= from && address < to);
            }
            assert_true(!differ || ept_retype(&ept, from, to));
        }
        for (u64 address = 0; address < 4 * GIB; address += PAGE_SIZE)
            check_page(&ept, address, CAPS_1G);
    }
}

static void unchanged_types(void **state)
{
    (void)state;
    struct mtrr_state before = pc(40), now = before;
    u64 from, to;
    add(&now, 0xC0000000, 64 * MIB, CACHE_WC); /* UC wins */
    assert_false(mtrr_difference(&before, &now, &from, &to));
    add(&now, GIB, PAGE_SIZE, CACHE_WC);
    assert_true(mtrr_difference(&before, &now, &from, &to));
    assert_int_equal(from, GIB);
    assert_int_equal(to, GIB + PAGE_SIZE);
}

/* A mask that makes every second page another piece: the work ends, and what was not looked at is
 * uncacheable. */
static void too_many_pieces(void **state)
{
    (void)state;
    struct mtrr_state s = pc(40), before = s;
    u64 from, to;
    unsigned level, right = 0;
    struct ept ept = build(CAPS_2M, &s, 4 * GIB);
    s.cap++;
    s.variable[1].base = CACHE_WP;
    s.variable[1].mask = PAGE_SIZE | VALID;
    assert_true(mtrr_difference(&before, &s, &from, &to));
    assert_true(from < 2 * MIB);
    assert_int_equal(to, BIT(40));
    assert_false(ept_retype(&ept, from, to));
    for (u64 address = 0; address < 4 * GIB; address += PAGE_SIZE) {
        u8 type = walk(&ept, address, &level) >> 3 & 7;
        assert_true(type == CACHE_UC || type == oracle(&s, address));
        right += type == oracle(&s, address);
    }
    assert_true(right > 2 * MIB / PAGE_SIZE);
    s = before;
    assert_true(ept_retype(&ept, 0, BIT(40)));
    check_all(&ept, CAPS_2M, 4 * GIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_layouts),  cmocka_unit_test(precedence),
        cmocka_unit_test(new_types),       cmocka_unit_test(changed_types),
        cmocka_unit_test(unchanged_types), cmocka_unit_test(too_many_pieces),
    };
    return cmocka_run_group_tests_name("Memory types", tests, NULL, NULL);
}
