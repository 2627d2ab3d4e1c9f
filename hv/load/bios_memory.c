/*
 * The BIOS's answers about memory. A guest that asks INT 15h (AX = E820h, E801h, AH = 88h) in real
 * mode, whatever its boot protocol told it, gets its own map: the interrupt vector leads to a page
 * of code in low memory, which hands every other function on to the BIOS. A guest that puts the
 * BIOS's own vector back gets the BIOS's own answers back.
 */
#include "load/loader.h"

#include "lib/string.h"
#include "host/paging.h"

#define VECTOR_15 (0x15 * 4)
#define LOW_MEMORY_KIB 0x413 /* in the BIOS data area: what INT 12h returns */
#define LOW_MEMORY_END (640 * KIB)
#define LOWEST_PAGE (64 * KIB) /* below, kernels want to be left alone */
#define BLOCK (64 * KIB)
#define MOST_KIB_88 (63 * KIB) /* as BIOSes answer AH = 88h on larger machines */

#define CODE_MAX 256
#define ANSWERS_MAX 190 /* no BIOS has so many ranges */

struct __attribute__((packed)) answers {
    u32 bios; /* the vector as the BIOS had it */
    u16 kib_to_16m, blocks_above, kib_88;
    u16 count;
    struct __attribute__((packed)) {
        u64 base, size;
        u32 type;
    } entry[ANSWERS_MAX];
};

_Static_assert(CODE_MAX + sizeof(struct answers) <= PAGE_SIZE, "all has room in the page");

extern const u8 bios_memory_code[], bios_memory_answers[]; /* in bios_memory.asm: begin and end */

static u32 bios_vector; /* of INT 15h, before the guest is in memory */

static u32 read_vector(void)
{
    u32 vector;
    memcpy(&vector, physical(VECTOR_15), sizeof(vector));
    return vector;
}

u64 bios_memory_reserve(const struct boot_info *info, struct memory_map *guest_map,
                        const struct memory_range *used, unsigned used_count)
{
    bios_vector = read_vector();
    if (info->efi || !bios_vector || guest_map->count > ANSWERS_MAX - 2)
        return 0;
    u64 page = memory_map_find(guest_map, HIGHEST, PAGE_SIZE, PAGE_SIZE, LOWEST_PAGE,
                               LOW_MEMORY_END, used, used_count);
    if (page && !memory_map_set(guest_map, page, PAGE_SIZE, MEMORY_RESERVED))
        return 0;
    return page;
}

/* RAM from `base` without a gap, up to `limit`, in bytes. */
static u64 ram_from(const struct memory_map *map, u64 base, u64 limit)
{
    for (unsigned i = 0; i < map->count; i++) {
        u64 end = map->range[i].base + map->range[i].size;
        if (map->range[i].type == MEMORY_RAM && map->range[i].base <= base && end > base)
            return (end < limit ? end : limit) - base;
    }
    return 0;
}

static void tell_memory_map(struct answers *answers, const struct memory_map *map)
{
    u64 kib_88 = ram_from(map, MIB, 4 * GIB) / KIB;
    answers->kib_to_16m = (u16)(ram_from(map, MIB, 16 * MIB) / KIB);
    answers->blocks_above = (u16)(ram_from(map, 16 * MIB, 4 * GIB) / BLOCK);
    answers->kib_88 = (u16)(kib_88 < MOST_KIB_88 ? kib_88 : MOST_KIB_88);
    answers->count = (u16)map->count;
    for (unsigned i = 0; i < map->count; i++) {
        answers->entry[i].base = map->range[i].base;
        answers->entry[i].size = map->range[i].size;
        answers->entry[i].type = map->range[i].type;
    }
}

void bios_memory_hook(u64 page, const struct memory_map *guest_map)
{
    size_t size = (size_t)(bios_memory_answers - bios_memory_code);
    struct answers *answers = physical(page + size);
    u32 vector = (u32)(page / 16) << 16;
    u16 low_kib, kib = (u16)(page / KIB);
    if (!page || read_vector() != bios_vector)
        return;
    memcpy(physical(page), bios_memory_code, size);
    answers->bios = bios_vector;
    tell_memory_map(answers, guest_map);
    memcpy(physical(VECTOR_15), &vector, sizeof(vector));
    memcpy(&low_kib, physical(LOW_MEMORY_KIB), sizeof(low_kib));
    if (kib < low_kib)
        memcpy(physical(LOW_MEMORY_KIB), &kib, sizeof(kib));
}
