/* The machine's memory as the boot loader told it. */
#ifndef GUEST_MEMORY_MAP_H
#define GUEST_MEMORY_MAP_H

#include "multiboot.h"

#define MEMORY_RANGES_MAX 64

struct memory_range {
    u64 base, end;
    u32 type; /* enum memory_type */
};

struct memory_map {
    u32 count;
    struct memory_range range[MEMORY_RANGES_MAX];
};

extern struct memory_map memory_map;

/* Copies the map, before anything overwrites the loader's. */
void memory_map_read(const struct multiboot_info *information);

void memory_map_add(struct memory_map *map, u64 base, u64 size, u32 type);

/* Whether all of [base, end) is RAM. */
bool memory_map_is_ram(const struct memory_map *map, u64 base, u64 end);

/* Tally's own memory as this map shows it, a reserved range behind RAM in whole 2 MiB pages; or
 * NULL. */
const struct memory_range *memory_map_hidden(void);

#endif
