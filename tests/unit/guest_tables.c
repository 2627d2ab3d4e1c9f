#include "guest_tables.h"

#include <string.h>

#include "fake_events.h"

struct guest_fault fault;

int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true, false};
    fault = (struct guest_fault){0};
    return 0;
}

u64 entry(unsigned table, unsigned index)
{
    u64 value;
    memcpy(&value, &fake_ram[TABLE(table) + 8 * index], 8);
    return value;
}

void set_entry(unsigned table, unsigned index, u64 value)
{
    memcpy(&fake_ram[TABLE(table) + 8 * index], &value, 8);
}

void set_entry32(unsigned table, unsigned index, u32 value)
{
    memcpy(&fake_ram[TABLE(table) + 4 * index], &value, 4);
}

void four_levels(u64 upper, u64 leaf)
{
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_CR3, TABLE(0) | 0x18);
    set_entry(0, 0, TABLE(1) | upper);
    set_entry(1, 1, TABLE(2) | upper);
    set_entry(2, 1, TABLE(3) | upper);
    set_entry(3, 1, DATA | leaf);
}
