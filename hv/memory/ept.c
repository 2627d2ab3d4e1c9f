#include "memory/ept.h"
#include "lib/atomic.h"

#include "lib/string.h"
#include "host/frames.h"
#include "host/tables.h"
#include "x86/vmx.h"

static bool is_present(u64 entry)
{
    return entry & EPT_RWX;
}

u64 *ept_entry(const struct ept *ept, u64 address, unsigned *level)
{
    *level = 1;
    return walk_tables(ept->root, address, level, frame_pointer);
}

static u64 page_entry(u64 address, unsigned level, u8 type)
{
    return address | (u64)type << EPT_TYPE_SHIFT | EPT_RWX | (level > 1 ? EPT_LARGE_PAGE : 0);
}

/* Other CPUs may be walking: an entry changes at once, after what it points at. */
static void store_entry(u64 *entry, u64 value)
{
    atomic_store(entry, value);
}

static unsigned largest_level(u64 caps)
{
    if (!(caps & EPT_CAP_2M))
        return 1;
    return caps & EPT_CAP_1G ? 3 : 2;
}

/* The level of the largest page at `address` that ends by `end`. */
static unsigned level_for(u64 caps, u64 address, u64 end)
{
    unsigned level = largest_level(caps);
    while (level > 1 &&
           (address % page_size(level) || end < address || end - address < page_size(level)))
        level--;
    return level;
}

void ept_init(struct ept *ept, u64 caps, const struct mtrr_state *mtrr)
{
    *ept =
        (struct ept){.root = frame_alloc(), .caps = caps, .mtrr = mtrr, .splits_left = EPT_SPLITS};
    for (unsigned i = 0; i < EPT_LAZY_TABLES; i++)
        ept->lazy[i] = frame_alloc();
}

static u64 *new_table(struct ept *ept, u64 *parent, bool lazy)
{
    if (!lazy)
        return frame_alloc();
    if (ept->lazy_used == EPT_LAZY_TABLES)
        return NULL;
    ept->lazy_parent[ept->lazy_used] = parent;
    return ept->lazy[ept->lazy_used++];
}

/* Puts a table in place of a large page that maps the same. */
static void split_page(u64 *entry, unsigned level)
{
    u64 *table = frame_alloc(), page = *entry;
    if (level - 1 == 1)
        page &= ~EPT_LARGE_PAGE;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table[i] = page + i * page_size(level - 1);
    store_entry(entry, frame_physical(table) | EPT_RWX);
}

/*
 * The entry for `address` in the table of `level`; missing tables are made, large pages on the way
 * are split. NULL: the tables for lazy mappings are used up.
 */
static u64 *make_entry(struct ept *ept, u64 address, unsigned level, bool lazy)
{
    for (;;) {
        unsigned at = level;
        u64 *entry = walk_tables(ept->root, address, &at, frame_pointer);
        if (at == level)
            return entry;
        if (is_present(*entry)) {
            split_page(entry, at);
            continue;
        }
        u64 *table = new_table(ept, entry, lazy);
        if (!table)
            return NULL;
        store_entry(entry, frame_physical(table) | EPT_RWX);
    }
}

void ept_map_identity(struct ept *ept, u64 from, u64 to)
{
    u64 until = 0;
    u8 type = CACHE_UC;
    for (u64 address = from, level; address < to; address += page_size(level)) {
        if (address >= until)
            type = mtrr_type(ept->mtrr, address, &until);
        level = level_for(ept->caps, address, until < to ? until : to);
        store_entry(make_entry(ept, address, level, false), page_entry(address, level, type));
    }
}

unsigned ept_frames_needed(u64 caps, const struct mtrr_state *mtrr, u64 to)
{
    unsigned frames = 1 + EPT_LAZY_TABLES;
    u64 until = 0;
    for (u64 address = 0, level; address < to; address += page_size(level)) {
        if (address >= until)
            mtrr_type(mtrr, address, &until);
        level = level_for(caps, address, until < to ? until : to);
        for (unsigned at = TOP_LEVEL; at > level; at--) /* the first page of each table */
            frames += address % page_size(at) == 0;
    }
    return frames;
}

/* A look at the types that goes upwards: the piece of memory that it has reached. */
struct type_walk {
    const struct mtrr_state *mtrr;
    u64 from, until;
    unsigned steps;
    u8 type;
};

/* Whether the page of `level` around `address` has one memory type, and which. */
static bool has_one_type(struct type_walk *walk, u64 address, unsigned level, u8 *type)
{
    u64 start = align_down(address, page_size(level));
    if (start < walk->from || start >= walk->until) {
        walk->from = start;
        walk->type = mtrr_type_within(walk->mtrr, start, &walk->until, &walk->steps);
    }
    *type = walk->type;
    return walk->until >= start + page_size(level);
}

bool ept_map_lazy(struct ept *ept, u64 address)
{
    struct type_walk walk = {.mtrr = ept->mtrr, .steps = MTRR_STEPS};
    unsigned stop, level = largest_level(ept->caps);
    u8 type;
    if (address >= BIT(ept->mtrr->physical_bits))
        return false;
    if (is_present(*ept_entry(ept, address, &stop)))
        return true;
    if (level > stop) /* a table is there already, with other pages in it */
        level = stop;
    while (!has_one_type(&walk, address, level, &type) && level > 1)
        level--;
    u64 *entry = make_entry(ept, address, level, true);
    if (!entry)
        return false;
    store_entry(entry, page_entry(align_down(address, page_size(level)), level, type));
    return true;
}

void ept_drop_lazy(struct ept *ept)
{
    while (ept->lazy_used > 0) { /* the newest first: its parent may lie in an older one */
        ept->lazy_used--;
        store_entry(ept->lazy_parent[ept->lazy_used], 0);
        memset(ept->lazy[ept->lazy_used], 0, PAGE_SIZE);
    }
}

void ept_set(struct ept *ept, u64 address, u64 entry)
{
    store_entry(make_entry(ept, address, 1, false), entry);
}

/*
 * Gives a type to the page at `address`, which `entry` maps, and to those after it in the same
 * table as far as they end by `until`: split pages are many in a row. Returns the end of the last
 * one.
 */
static u64 set_types(u64 *entry, unsigned level, u64 address, u64 until, u64 type)
{
    u64 size = page_size(level), bits = type << EPT_TYPE_SHIFT;
    u64 next = align_down(address, size) + size;
    u64 table_end = align_down(address, page_size(level + 1)) + page_size(level + 1);
    if (until > table_end)
        until = table_end;
    for (;; next += size) {
        if ((*entry & EPT_TYPE) != bits)
            store_entry(entry, (*entry & ~EPT_TYPE) | bits);
        entry++;
        if (next + size > until || !is_present(*entry) || (level > 1 && !(*entry & EPT_LARGE_PAGE)))
            return next;
    }
}

bool ept_retype(struct ept *ept, u64 from, u64 to)
{
    struct type_walk walk = {.mtrr = ept->mtrr, .steps = MTRR_STEPS};
    unsigned level;
    u8 type;
    for (u64 at = from; at < to;) {
        u64 *entry = ept_entry(ept, at, &level);
        if (!is_present(*entry)) {
            at = align_down(at, page_size(level)) + page_size(level);
        } else if (has_one_type(&walk, at, level, &type)) {
            at = set_types(entry, level, at, walk.until, type);
        } else if (ept->splits_left && frames_left()) {
            ept->splits_left--;
            split_page(entry, level);
        } else {
            at = set_types(entry, level, at, 0, CACHE_UC);
        }
    }
    return walk.steps > 0;
}

u64 ept_pointer(const struct ept *ept)
{
    u64 type = ept->caps & EPT_CAP_WB ? CACHE_WB : CACHE_UC;
    return frame_physical(ept->root) | type | EPTP_WALK_4;
}
