/*
 * Tables of four levels with 512 entries each: those of Tally's own paging and of the EPT have the
 * same form. A page at level 1 has 4 KiB, at level 2 2 MiB, at level 3 1 GiB.
 */
#ifndef TALLY_HOST_TABLES_H
#define TALLY_HOST_TABLES_H

#include "types.h"

#define TOP_LEVEL 4
#define TABLE_ENTRIES 512
#define ENTRY_PRESENT 7ull /* any of these: present, or a right in the EPT */
#define ENTRY_LARGE BIT(7)
#define ENTRY_ADDRESS 0x000FFFFFFFFFF000ull

static inline u64 page_size(unsigned level)
{
    return BIT(12 + 9 * (level - 1));
}

/*
 * Walks from the table `root` to the entry for `address` at *level, or to one above it that leads
 * no further, being absent or a large page; *level tells at which level that was. `table_at` gives
 * the table at a physical address.
 */
u64 *walk_tables(u64 *root, u64 address, unsigned *level, void *(*table_at)(u64 physical));

#endif
