#include "ept_machine.h"

#include <stdlib.h>
#include <string.h>

#include "host/frames.h"
#include "x86/vmx.h"

u8 pool[FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));

void fatal(const char *format, ...)
{
    (void)format;
    mock_assert(0, "fatal", __FILE__, __LINE__);
    abort();
}

/* Oracle: SDM's definition, for one address. */

u8 oracle(const struct mtrr_state *s, u64 address)
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

void add(struct mtrr_state *s, u64 base, u64 size, u8 type)
{
    unsigned i = s->cap++ & 0xFF;
    s->variable[i].base = base | type;
    s->variable[i].mask = ((BIT(s->physical_bits) - 1) & ~(size - 1)) | VALID;
}

struct mtrr_state pc(unsigned bits)
{
    struct mtrr_state s = {.cap = CAP_FIXED, .def_type = MTRR_ON | CACHE_WB, .physical_bits = bits};
    memset(s.fixed, CACHE_WB, sizeof(s.fixed));
    memset(s.fixed + 16, CACHE_UC, 8);  /* 0xA0000 */
    memset(s.fixed + 24, CACHE_WP, 64); /* ROM */
    add(&s, 0xC0000000, GIB, CACHE_UC);
    return s;
}

u64 walk(const struct ept *ept, u64 address, unsigned *level)
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

void check_page(const struct ept *ept, u64 address, u64 caps)
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

struct ept build(u64 caps, const struct mtrr_state *s, u64 to)
{
    struct ept ept;
    frames_init(pool, POOL_PHYSICAL, FRAMES);
    ept_init(&ept, caps, s);
    ept_map_identity(&ept, 0, to);
    assert_int_equal(FRAMES - frames_left(), ept_frames_needed(caps, s, to));
    return ept;
}

void check_all(const struct ept *ept, u64 caps, u64 to)
{
    for (u64 address = 0; address < to; address += PAGE_SIZE)
        check_page(ept, address, caps);
    unsigned level;
    assert_int_equal(walk(ept, to, &level) & 7, 0);
}
