/* Where the guest's information and its first GDT are written: in low memory, which every kernel
 * maps first, if possible. */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

u32 put(struct writer *w, const void *bytes, size_t size)
{
    u32 address = w->next;
    if (size)
        memcpy(physical(address), bytes, size);
    w->next += size;
    return address;
}

u32 put_aligned(struct writer *w, const void *bytes, size_t size)
{
    w->next = align_up(w->next, 8);
    return put(w, bytes, size);
}

/* More bytes than that takes, whatever the protocol. */
static u64 information_size(const struct loader *loader)
{
    const struct boot_info *info = loader->info;
    const struct table *sections = &loader->image.sections;
    u64 size = PAGE_SIZE + 1024; /* Linux's zero page, the rest of it and of tags */
    size += loader->map->count * 2 * sizeof(struct multiboot2_mmap_entry);
    size += (u64)sections->count * sections->size + strlen(info->loader);
    for (u32 type = 0; type < MULTIBOOT2_TAG_TYPES; type++)
        size += info->tag[type] ? 3 * info->tag[type]->size : 0; /* EFI's map may be split */
    for (unsigned i = 0; i < info->module_count; i++)
        size += 48 + strlen(info->module[i].command_line);
    return align_up(size, PAGE_SIZE);
}

bool information_write(struct loader *loader, const struct protocol *protocol,
                       struct guest_start *start)
{
    enum { CODE = 0x10, DATA = 0x18 }; /* Linux requires these two */
    static const u64 gdt[] = {0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF};
    u64 size = information_size(loader);
    u64 place = take_room(loader, "boot information", HIGHEST, size, 64 * KIB, 640 * KIB);
    if (!place)
        place = take_behind(loader, "boot information", size);
    if (!place)
        return false;
    memset(physical(place), 0, size);
    struct writer w = {.loader = loader, .next = (u32)place};
    *start = (struct guest_start){
        .entry = (u32)loader->image.entry,
        .gdt_base = put(&w, gdt, sizeof(gdt)),
        .gdt_limit = sizeof(gdt) - 1,
        .code_selector = CODE,
        .data_selector = DATA,
    };
    put_tags(&w);
    protocol->tell(&w, start);
    return true;
}
