#include "kernel/memory_map.h"

struct memory_map memory_map;

void memory_map_add(struct memory_map *map, u64 base, u64 size, u32 type)
{
    if (size && map->count < MEMORY_RANGES_MAX)
        map->range[map->count++] = (struct memory_range){base, base + size, type};
}

void memory_map_read(const struct multiboot_info *information)
{
    const struct multiboot_mmap_entry *entry;
    u32 offset = 0;

    if (!information || !(information->flags & MULTIBOOT_INFO_MEM_MAP))
        return;
    for (; offset < information->mmap_length; offset += entry->size + sizeof(entry->size)) {
        entry = (const void *)(u64)(information->mmap_addr + offset);
        memory_map_add(&memory_map, entry->addr, entry->len, entry->type);
    }
}

bool memory_map_is_ram(const struct memory_map *map, u64 base, u64 end)
{
    for (bool moved = true; moved && base < end;) {
        moved = false;
        for (u32 i = 0; i < map->count; i++) {
            const struct memory_range *range = &map->range[i];

            if (range->type == MEMORY_RAM && range->base <= base && base < range->end) {
                base = range->end;
                moved = true;
            }
        }
    }
    return base >= end;
}

const struct memory_range *memory_map_hidden(void)
{
    for (u32 i = 0; i < memory_map.count; i++) {
        const struct memory_range *range = &memory_map.range[i];

        if (range->type == MEMORY_RESERVED && range->base > MIB && range->end <= 4 * GIB &&
            range->base % (2 * MIB) == 0 && range->end % (2 * MIB) == 0 &&
            memory_map_is_ram(&memory_map, range->base - PAGE_SIZE, range->base))
            return range;
    }
    return NULL;
}
