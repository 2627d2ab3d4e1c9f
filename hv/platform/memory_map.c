/* The memory map: a sorted list of ranges that never overlap and never touch with equal types. */
#include "platform/memory_map.h"

#include "lib/string.h"

/* No physical address is wider (SDM vol. 3, 'Physical Address Space'): no sum can overflow. */
#define PHYSICAL_END BIT(52)

static u64 end_of(const struct memory_range *range)
{
    return range->base + range->size;
}

static void remove_range(struct memory_map *map, unsigned i)
{
    map->count--;
    memmove(&map->range[i], &map->range[i + 1], (map->count - i) * sizeof(map->range[0]));
}

static bool insert_range(struct memory_map *map, unsigned i, u64 base, u64 end, u32 type)
{
    if (map->count == MEMORY_MAP_MAX)
        return false;
    memmove(&map->range[i + 1], &map->range[i], (map->count - i) * sizeof(map->range[0]));
    map->range[i] = (struct memory_range){.base = base, .size = end - base, .type = type};
    map->count++;
    return true;
}

/* Takes [base, end) out of every range; `position` is where a range that begins at base belongs. */
static bool cut_out(struct memory_map *map, u64 base, u64 end, unsigned *position)
{
    unsigned i = 0;
    while (i < map->count && end_of(&map->range[i]) <= base)
        i++;
    if (i < map->count && map->range[i].base < base) {
        struct memory_range *low = &map->range[i++];
        u64 low_end = end_of(low);
        low->size = base - low->base;
        if (low_end > end && !insert_range(map, i, end, low_end, low->type))
            return false;
    }
    while (i < map->count && end_of(&map->range[i]) <= end)
        remove_range(map, i);
    if (i < map->count && map->range[i].base < end) {
        map->range[i].size = end_of(&map->range[i]) - end;
        map->range[i].base = end;
    }
    *position = i;
    return true;
}

static bool can_join(const struct memory_range *low, const struct memory_range *high)
{
    return end_of(low) == high->base && low->type == high->type;
}

static bool set_range(struct memory_map *map, u64 base, u64 end, u32 type)
{
    unsigned i;
    if (!cut_out(map, base, end, &i))
        return false;
    struct memory_range *range = map->range, added = {base, end - base, type};
    bool below = i > 0 && can_join(&range[i - 1], &added);
    bool above = i < map->count && can_join(&added, &range[i]);
    if (below && above) {
        range[i - 1].size = end_of(&range[i]) - range[i - 1].base;
        remove_range(map, i);
    } else if (below) {
        range[i - 1].size += added.size;
    } else if (above) {
        range[i].base = base;
        range[i].size += added.size;
    } else {
        return insert_range(map, i, base, end, type);
    }
    return true;
}

/* The end of [base, …) that a physical address can have; base itself where nothing is left. */
static u64 clamped_end(u64 base, u64 size)
{
    if (base >= PHYSICAL_END)
        return base;
    return size < PHYSICAL_END - base ? base + size : PHYSICAL_END;
}

bool memory_map_set(struct memory_map *map, u64 base, u64 size, u32 type)
{
    u64 end = clamped_end(base, size);
    return base == end || set_range(map, base, end, type);
}

bool memory_map_add(struct memory_map *map, u64 base, u64 size, u32 type)
{
    u64 end = clamped_end(base, size);
    if (type == 0) /* no type that E820 or multiboot know */
        type = MEMORY_RESERVED;
    for (u64 next; base < end; base = next) { /* piece by piece: a gap, or one older range */
        u32 winner = type;
        next = end;
        for (unsigned i = 0; i < map->count; i++) {
            const struct memory_range *old = &map->range[i];
            if (end_of(old) <= base)
                continue;
            u64 edge = old->base > base ? old->base : end_of(old);
            if (edge < next)
                next = edge;
            if (old->base <= base && old->type > type)
                winner = old->type;
            break;
        }
        if (!set_range(map, base, next, winner))
            return false;
    }
    return true;
}

bool memory_map_is_ram(const struct memory_map *map, u64 base, u64 size)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];
        if (range->type == MEMORY_RAM && base >= range->base && base - range->base <= range->size &&
            size <= range->size - (base - range->base))
            return true;
    }
    return false;
}

bool memory_map_has_ram(const struct memory_map *map, u64 base, u64 size)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];
        if (range->type == MEMORY_RAM && ranges_overlap(range->base, range->size, base, size))
            return true;
    }
    return false;
}

u64 memory_map_top_of_ram(const struct memory_map *map)
{
    for (unsigned i = map->count; i > 0; i--) {
        if (map->range[i - 1].type == MEMORY_RAM)
            return end_of(&map->range[i - 1]);
    }
    return 0;
}

/* Any range of `avoid` that overlaps [base, base + size). */
static const struct memory_range *
first_obstacle(u64 base, u64 size, const struct memory_range *avoid, unsigned avoid_count)
{
    for (unsigned i = 0; i < avoid_count; i++) {
        if (ranges_overlap(avoid[i].base, avoid[i].size, base, size))
            return &avoid[i];
    }
    return NULL;
}

u64 memory_map_find(const struct memory_map *map, enum memory_end end, u64 size, u64 align,
                    u64 floor, u64 limit, const struct memory_range *avoid, unsigned avoid_count)
{
    for (unsigned n = 0; n < map->count; n++) {
        unsigned i = end == LOWEST ? n : map->count - 1 - n;
        const struct memory_range *range = &map->range[i], *hit;
        u64 low = range->base > floor ? range->base : floor;
        u64 high = end_of(range) < limit ? end_of(range) : limit;
        while (range->type == MEMORY_RAM && low < high && size <= high - low) {
            u64 base = end == LOWEST ? align_up(low, align) : align_down(high - size, align);
            if (base < low || base >= high || size > high - base)
                break;
            hit = first_obstacle(base, size, avoid, avoid_count);
            if (!hit)
                return base;
            if (end == LOWEST)
                low = end_of(hit);
            else
                high = hit->base;
        }
    }
    return 0;
}
