/* The machine's memory map, and the guest's copy of it without Tally's own memory. */
#ifndef TALLY_PLATFORM_MEMORY_MAP_H
#define TALLY_PLATFORM_MEMORY_MAP_H

#include "multiboot.h"

#define MEMORY_MAP_MAX 512

struct memory_range {
    u64 base, size;
    u32 type; /* enum memory_type */
};

/* Sorted, without overlaps; where ranges of the input overlap, the higher type wins. */
struct memory_map {
    unsigned count;
    struct memory_range range[MEMORY_MAP_MAX];
};

/* Adds a range of the firmware's map; false if the map is full. Empty ranges are ignored. */
bool memory_map_add(struct memory_map *map, u64 base, u64 size, u32 type);

/* Makes [base, base+size) `type`, whatever it was. False if the map is full. */
bool memory_map_set(struct memory_map *map, u64 base, u64 size, u32 type);

/* Whether all of [base, base+size) is RAM. */
bool memory_map_is_ram(const struct memory_map *map, u64 base, u64 size);

/* Whether any of [base, base+size) is RAM. */
bool memory_map_has_ram(const struct memory_map *map, u64 base, u64 size);

/* End of the highest RAM, 0 if none. */
u64 memory_map_top_of_ram(const struct memory_map *map);

/* The lowest or highest base of `size` bytes, aligned to `align` (a power of two), in RAM below
 * `limit` and not below `floor`, that avoids all `avoid` ranges; 0 if there is none. */
enum memory_end { LOWEST, HIGHEST };
u64 memory_map_find(const struct memory_map *map, enum memory_end end, u64 size, u64 align,
                    u64 floor, u64 limit, const struct memory_range *avoid, unsigned avoid_count);

#endif
