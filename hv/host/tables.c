#include "host/tables.h"

u64 *walk_tables(u64 *root, u64 address, unsigned *level, void *(*table_at)(u64 physical))
{
    u64 *table = root;
    for (unsigned here = TOP_LEVEL;; here--) {
        u64 *entry = &table[address / page_size(here) % TABLE_ENTRIES];
        if (here == *level || !(*entry & ENTRY_PRESENT) || (*entry & ENTRY_LARGE)) {
            *level = here;
            return entry;
        }
        table = table_at(*entry & ENTRY_ADDRESS);
    }
}
