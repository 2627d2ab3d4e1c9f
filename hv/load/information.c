/* Where the guest's information and its first GDT are written: in low memory, which every kernel
 * maps first, if possible. */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
    if (writer->memory && size)
        memcpy(writer->memory + writer->used, bytes, size);
    writer->used += size;
}

u32 put_aligned(struct writer *writer, const void *bytes, size_t size)
{
    writer->used = align_up(writer->used, 8);
    u32 address = writer->address + writer->used;
    put_bytes(writer, bytes, size);
    return address;
}

u32 put_text(struct writer *writer, const char *text)
{
    return put_aligned(writer, text, strlen(text) + 1);
}

static void write_all(struct writer *writer, const struct loader *loader,
                      const struct protocol *protocol, struct guest_start *start)
{
    enum { CODE = 0x10, DATA = 0x18 }; /* Linux requires these two */
    static const u64 gdt[] = {0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF};
    *start = (struct guest_start){
        .protocol = protocol->name,
        .entry = (u32)loader->image.entry,
        .gdt_limit = sizeof(gdt) - 1,
        .code_selector = CODE,
        .data_selector = DATA,
    };
    protocol->tell(writer, loader, start);
    start->gdt_base = put_aligned(writer, gdt, sizeof(gdt));
}

bool information_write(struct loader *loader, const struct protocol *protocol,
                       struct guest_start *start)
{
    struct writer measure = {0};
    write_all(&measure, loader, protocol, start);
    u64 size = measure.used;
    u64 place = take_highest(loader, "boot information", size, 64 * KIB, 640 * KIB);
    if (!place)
        place = take_behind(loader, "boot information", size);
    if (!place)
        return false;
    struct writer writer = {memset(physical(place), 0, size), (u32)place, 0};
    write_all(&writer, loader, protocol, start);
    return true;
}

void memory_sizes(const struct memory_map *map, u32 *lower, u32 *upper)
{
    *lower = *upper = 0;
    for (unsigned i = 0; i < map->count; i++) {
        u64 base = map->range[i].base, end = base + map->range[i].size;
        if (map->range[i].type != MEMORY_RAM)
            continue;
        if (base == 0)
            *lower = (u32)((end < 640 * KIB ? end : 640 * KIB) / KIB);
        if (base <= MIB && end > MIB)
            *upper = (u32)((end < 4 * GIB ? end - MIB : 4 * GIB - MIB) / KIB);
    }
}
