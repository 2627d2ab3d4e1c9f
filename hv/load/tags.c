/* What every guest is told, as the tags of Multiboot 2: a table says which are made here; the
 * others are as the boot loader told them (platform/boot_info.h). */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

/* Begins a tag; returns where, for tag_end(). */
static u32 tag_begin(struct writer *w, u32 type)
{
    struct multiboot2_tag tag = {type, 0};
    u32 begin = put_aligned(w, &tag, sizeof(tag));
    if (!w->tag[type])
        w->tag[type] = begin;
    return begin;
}

static void tag_end(struct writer *w, u32 begin)
{
    struct multiboot2_tag *tag = physical(begin);
    tag->size = w->next - begin;
}

static void put_tag(struct writer *w, u32 type, const void *body, size_t size)
{
    u32 begin = tag_begin(w, type);
    put(w, body, size);
    tag_end(w, begin);
}

static void command_line(struct writer *w, u32 type)
{
    const char *line = w->loader->info->module[0].command_line;
    put_tag(w, type, line, strlen(line) + 1);
}

/* The name says whose conventions the command lines follow: Xen drops their first word unless they
 * are GRUB 2's. */
static void loader_name(struct writer *w, u32 type)
{
    const struct boot_info *info = w->loader->info;
    const char *name = boot_info_is_grub(info) ? info->loader : "GRUB 2 (Tally)";
    put_tag(w, type, name, strlen(name) + 1);
}

static void modules(struct writer *w, u32 type)
{
    for (unsigned i = 0; i < w->loader->guest_modules; i++) {
        const struct module *module = guest_module(w->loader, i);
        u64 start = w->loader->module[i];
        u32 bounds[] = {(u32)start, (u32)(start + module->size)};
        u32 begin = tag_begin(w, type);
        put(w, bounds, sizeof(bounds));
        put(w, module->command_line, strlen(module->command_line) + 1);
        tag_end(w, begin);
    }
}

/* KiB of RAM from 0 and from 1 MiB on. */
static void memory_sizes(struct writer *w, u32 type)
{
    u32 kib[2] = {0, 0};
    for (unsigned i = 0; i < w->loader->map->count; i++) {
        const struct memory_range *range = &w->loader->map->range[i];
        u64 end = range->base + range->size;
        if (range->type != MEMORY_RAM)
            continue;
        if (range->base == 0)
            kib[0] = (u32)((end < 640 * KIB ? end : 640 * KIB) / KIB);
        if (range->base <= MIB && end > MIB)
            kib[1] = (u32)((end < 4 * GIB ? end - MIB : 4 * GIB - MIB) / KIB);
    }
    put_tag(w, type, kib, sizeof(kib));
}

static void memory_map(struct writer *w, u32 type)
{
    u32 form[] = {sizeof(struct multiboot2_mmap_entry), 0};
    u32 begin = tag_begin(w, type);
    put(w, form, sizeof(form));
    for (unsigned i = 0; i < w->loader->map->count; i++) {
        const struct memory_range *range = &w->loader->map->range[i];
        struct multiboot2_mmap_entry entry = {range->base, range->size, range->type, 0};
        put(w, &entry, sizeof(entry));
    }
    tag_end(w, begin);
}

static void sections(struct writer *w, u32 type)
{
    const struct image *image = &w->loader->image;
    u32 form[] = {image->sections.count, image->sections.size, image->section_names};
    u32 begin = tag_begin(w, type);
    put(w, form, sizeof(form));
    put(w, physical(image->sections_place), (size_t)form[0] * form[1]);
    tag_end(w, begin);
}

static void load_address(struct writer *w, u32 type)
{
    u32 base = (u32)kernel_base(&w->loader->image);
    put_tag(w, type, &base, sizeof(base));
}

/* The part of a descriptor of EFI's memory map in [from, to), if any. */
static void put_efi_part(struct writer *w, const u8 *whole, u32 size, u64 from, u64 to, bool tally)
{
    struct efi_memory_descriptor part;
    memcpy(&part, whole, sizeof(part));
    u64 end = part.start + part.pages * PAGE_SIZE;
    from = from > part.start ? from : part.start;
    to = to < end ? to : end;
    if (from >= to)
        return;
    part.start = from;
    part.pages = (to - from) / PAGE_SIZE;
    part.type = tally ? EFI_RESERVED_MEMORY_TYPE : part.type;
    put(w, &part, sizeof(part));
    put(w, whole + sizeof(part), size - sizeof(part));
}

static void efi_map(struct writer *w, u32 type)
{
    const struct loader *loader = w->loader;
    const struct multiboot2_efi_mmap *map = (const void *)loader->info->tag[type];
    u64 tally = loader->tally.base, tally_end = tally + loader->tally.size;
    if (!map || map->descr_size < sizeof(struct efi_memory_descriptor))
        return;
    u32 begin = tag_begin(w, type);
    put(w, &map->descr_size, sizeof(*map) - sizeof(map->tag));
    for (u64 at = sizeof(*map); at + map->descr_size <= map->tag.size; at += map->descr_size) {
        const u8 *whole = (const u8 *)map + at;
        put_efi_part(w, whole, map->descr_size, 0, tally, false);
        put_efi_part(w, whole, map->descr_size, tally, tally_end, true);
        put_efi_part(w, whole, map->descr_size, tally_end, ~0ull, false);
    }
    tag_end(w, begin);
}

static void (*const made_here[MULTIBOOT2_TAG_TYPES])(struct writer *, u32 type) = {
    [MULTIBOOT2_TAG_CMDLINE] = command_line, [MULTIBOOT2_TAG_BOOT_LOADER_NAME] = loader_name,
    [MULTIBOOT2_TAG_MODULE] = modules,       [MULTIBOOT2_TAG_BASIC_MEMINFO] = memory_sizes,
    [MULTIBOOT2_TAG_MMAP] = memory_map,      [MULTIBOOT2_TAG_ELF_SECTIONS] = sections,
    [MULTIBOOT2_TAG_EFI_MMAP] = efi_map,     [MULTIBOOT2_TAG_LOAD_BASE_ADDR] = load_address,
};

void put_tags(struct writer *w)
{
    struct multiboot2_info header = {0};
    w->list = put_aligned(w, &header, sizeof(header));
    for (u32 type = MULTIBOOT2_TAG_END + 1; type < MULTIBOOT2_TAG_TYPES; type++) {
        const struct multiboot2_tag *told = w->loader->info->tag[type];
        if (made_here[type])
            made_here[type](w, type);
        else if (told)
            put_tag(w, type, told + 1, told->size - sizeof(*told));
    }
    put_tag(w, MULTIBOOT2_TAG_END, NULL, 0);
    header.total_size = w->next - w->list;
    memcpy(physical(w->list), &header, sizeof(header));
}
