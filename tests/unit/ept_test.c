// link: hv/vmx/ept.c hv/mm/mtrr.c hv/mm/frames.c
/* EPT and MTRRs: every page of built tables is walked in software and compared with an oracle that
 * knows the MTRR rules only, byte by byte. */
#include "vmx/ept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/frames.h"
#include "x86/vmx.h"

#define FRAMES 6000
#define POOL_PHYSICAL 0x7F000000ull

#define MTRR_ON (BIT(11) | BIT(10))
#define VALID BIT(11)
#define CAP_FIXED BIT(8)

static u8 *pool;

void fatal(const char *format, ...)
{
    (void)format;
    mock_assert(0, "fatal", __FILE__, __LINE__);
    abort();
}

/* Oracle: SDM's definition, for one address. */

static u8 oracle(const struct mtrr_state *s, u64 address)
{
    if (!(s->def_type & BIT(11)))
        return CACHE_UC;
    if (address < MIB && (s->def_type & BIT(10)) && (s->cap & CAP_FIXED)) {
        if (address < 0x80000)
            return s->fixed[address >> 16];
        if (address < 0xC0000)
            return s->fixed[8 + ((address - 0x80000) >> 14)];
        return s->fixed[24 + ((address - 0xC0000) >> 12)];
    }
    bool seen[256] = {0};
    unsigned kinds = 0;
    u8 last = 0;
    u64 width = BIT(s->physical_bits) - PAGE_SIZE;
    for (unsigned i = 0; i < (s->cap & 0xFF); i++) {
        u64 mask = s->variable[i].mask & width;
        u8 type = (u8)s->variable[i].base;
        if (!(s->variable[i].mask & VALID) ||
            (address & mask) != (s->variable[i].base & width & mask) || seen[type])
            continue;
        seen[type] = true;
        last = type;
        kinds++;
    }
    if (kinds == 0)
        return (u8)s->def_type;
    if (kinds == 1)
        return last;
    return kinds == 2 && seen[CACHE_WT] && seen[CACHE_WB] ? CACHE_WT : CACHE_UC;
}

static void add(struct mtrr_state *s, u64 base, u64 size, u8 type)
{
    unsigned i = s->cap++ & 0xFF;
    s->variable[i].base = base | type;
    s->variable[i].mask = ((BIT(s->physical_bits) - 1) & ~(size - 1)) | VALID;
}

/* A usual PC: write-back, holes for devices below 4 GiB and VGA. */
static struct mtrr_state pc(unsigned bits)
{
    struct mtrr_state s = {.cap = CAP_FIXED, .def_type = MTRR_ON | CACHE_WB, .physical_bits = bits};
    memset(s.fixed, CACHE_WB, sizeof(s.fixed));
    memset(s.fixed + 16, CACHE_UC, 8);  /* 0xA0000 */
    memset(s.fixed + 24, CACHE_WP, 64); /* ROM */
    add(&s, 0xC0000000, GIB, CACHE_UC);
    return s;
}

/* A software walk as the SDM describes it; the entry's memory type and translation. */
static u64 walk(const struct ept *ept, u64 address, unsigned *level)
{
    u64 table = ept_pointer(ept) & EPT_ADDRESS;
    for (*level = 4;; --*level) {
        assert_true(table >= POOL_PHYSICAL && table < POOL_PHYSICAL + FRAMES * PAGE_SIZE);
        u64 shift = 12 + 9 * (*level - 1), entry;
        memcpy(&entry, pool + (table - POOL_PHYSICAL) + (address >> shift) % 512 * 8, 8);
        bool page = *level == 1 || (*level < 4 && (entry & EPT_LARGE_PAGE));
        if (!(entry & 7) || page)
            return entry;
        assert_int_equal(entry & 0xFF8, 0); /* reserved bits */
        table = entry & EPT_ADDRESS;
    }
}

static void check_page(const struct ept *ept, u64 address, u64 caps)
{
    unsigned level, level2;
    u64 entry = walk(ept, address, &level);
    u64 size = BIT(12 + 9 * (level - 1));
    assert_int_equal(entry & 7, 7);
    assert_int_equal(entry & EPT_ADDRESS, address & ~(size - 1));
    assert_int_equal(entry >> 3 & 7, oracle(ept->mtrr, address));
    assert_int_equal(entry & ~(EPT_ADDRESS | 0x3F | (level > 1 ? EPT_LARGE_PAGE : 0)), 0);
    assert_true(level == 1 || (level == 2 && (caps & EPT_CAP_2M)) ||
                (level == 3 && (caps & EPT_CAP_1G)));
    assert_int_equal(*ept_entry(ept, address, &level2), entry);
    assert_int_equal(level, level2);
}

static struct ept build(u64 caps, const struct mtrr_state *s, u64 to)
{
    struct ept ept;
    frames_init(pool, POOL_PHYSICAL, FRAMES);
    ept_init(&ept, caps, s);
    ept_map_identity(&ept, 0, to);
    assert_int_equal(FRAMES - frames_left(), ept_frames_needed(caps, s, to));
    return ept;
}

static void check_all(const struct ept *ept, u64 caps, u64 to)
{
    for (u64 address = 0; address < to; address += PAGE_SIZE)
        check_page(ept, address, caps);
    unsigned level;
    assert_int_equal(walk(ept, to, &level) & 7, 0);
}

#define CAPS_SMALL (EPT_CAP_WALK_4 | EPT_CAP_WB)
#define CAPS_2M (CAPS_SMALL | EPT_CAP_2M)
#define CAPS_1G (CAPS_2M | EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY)

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
    ept_set(&ept, 0xFEE00000, ept_identity(&ept, 0xFEE00ABC));
    check_page(&ept, 0xFEE00000, CAPS_1G);
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

static void pointer(void **state)
{
    (void)state;
    struct mtrr_state s = pc(36);
    struct ept ept = build(CAPS_1G, &s, 2 * MIB);
    assert_int_equal(ept_pointer(&ept), POOL_PHYSICAL | 6 | 3 << 3 | 1 << 6);
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
    pool = aligned_alloc(PAGE_SIZE, FRAMES * PAGE_SIZE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_map),    cmocka_unit_test(large_pages_are_used),
        cmocka_unit_test(random_layouts),  cmocka_unit_test(precedence),
        cmocka_unit_test(hidden_pages),    cmocka_unit_test(lazy_mappings),
        cmocka_unit_test(new_types),       cmocka_unit_test(changed_types),
        cmocka_unit_test(unchanged_types), cmocka_unit_test(too_many_pieces),
        cmocka_unit_test(pointer),         cmocka_unit_test(frames_run_out),
    };
    int failed = cmocka_run_group_tests_name("ept", tests, NULL, NULL);
    free(pool);
    return failed;
}
