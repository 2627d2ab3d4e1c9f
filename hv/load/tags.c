/*
 * What a guest is told by Multiboot 2: a table that says for each tag whether it is what the boot
 * loader told (platform/boot_info.h) or is made here. Version 1 (fields.c) and Linux are told the
 * same pieces.
 */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

/* Begins a tag; returns where, for tag_end(). */
static u32 tag_begin(struct writer *w, u32 type)
{
    struct multiboot2_tag tag = {type, 0};
    return put_aligned(w, &tag, sizeof(tag)) - w->address;
}

static void tag_end(struct writer *w, u32 begin)
{
    if (w->memory)
        ((struct multiboot2_tag *)(w->memory + begin))->size = w->used - begin;
}

static void put_tag(struct writer *w, u32 type, const void *body, size_t size)
{
    u32 begin = tag_begin(w, type);
    put_bytes(w, body, size);
    tag_end(w, begin);
}

static void text_tag(struct writer *w, u32 type, const char *text)
{
    put_tag(w, type, text, strlen(text) + 1);
}

static void tag_as_told(struct writer *w, const struct loader *loader, u32 type)
{
    const struct multiboot2_tag *tag = loader->info->tag[type];
    if (tag)
        put_aligned(w, tag, tag->size);
}

static void tag_of_command_line(struct writer *w, const struct loader *loader, u32 type)
{
    text_tag(w, type, loader->info->module[0].command_line);
}

const char *loader_name(const struct loader *loader)
{
    return boot_info_is_grub(loader->info) ? loader->info->loader : "GRUB 2 (Tally)";
}

static void tag_of_loader_name(struct writer *w, const struct loader *loader, u32 type)
{
    text_tag(w, type, loader_name(loader));
}

static void tags_of_modules(struct writer *w, const struct loader *loader, u32 type)
{
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        u32 bounds[] = {(u32)loader->module[i], (u32)(loader->module[i] + module->size)};
        u32 begin = tag_begin(w, type);
        put_bytes(w, bounds, sizeof(bounds));
        put_bytes(w, module->command_line, strlen(module->command_line) + 1);
        tag_end(w, begin);
    }
}

static void tag_of_memory_sizes(struct writer *w, const struct loader *loader, u32 type)
{
    u32 sizes[2];
    memory_sizes(loader->map, &sizes[0], &sizes[1]);
    put_tag(w, type, sizes, sizeof(sizes));
}

static void tag_of_memory_map(struct writer *w, const struct loader *loader, u32 type)
{
    u32 begin = tag_begin(w, type), form[] = {sizeof(struct multiboot2_mmap_entry), 0};
    put_bytes(w, form, sizeof(form));
    for (unsigned i = 0; i < loader->map->count; i++) {
        const struct memory_range *range = &loader->map->range[i];
        struct multiboot2_mmap_entry entry = {range->base, range->size, range->type, 0};
        put_bytes(w, &entry, sizeof(entry));
    }
    tag_end(w, begin);
}

static void tag_of_sections(struct writer *w, const struct loader *loader, u32 type)
{
    const struct sections *sections = &loader->image.sections;
    u32 begin = tag_begin(w, type);
    put_bytes(w, sections, offsetof(struct sections, is_64));
    put_bytes(w, physical(sections->place), (size_t)sections->count * sections->header_size);
    tag_end(w, begin);
}
_Static_assert(offsetof(struct sections, names) == 8, "in the tag's order");

static void tag_of_load_address(struct writer *w, const struct loader *loader, u32 type)
{
    u32 base = (u32)kernel_base(&loader->image);
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
    put_bytes(w, &part, sizeof(part));
    put_bytes(w, whole + sizeof(part), size - sizeof(part));
}

static void tag_of_efi_map(struct writer *w, const struct loader *loader, u32 type)
{
    const struct multiboot2_efi_mmap *map = (const void *)loader->info->tag[type];
    u64 tally = loader->tally.base, tally_end = tally + loader->tally.size;
    if (!map || map->descr_size < sizeof(struct efi_memory_descriptor))
        return;
    u32 begin = tag_begin(w, type);
    put_bytes(w, &map->descr_size, sizeof(*map) - sizeof(map->tag));
    for (u64 at = sizeof(*map); at + map->descr_size <= map->tag.size; at += map->descr_size) {
        const u8 *whole = (const u8 *)map + at;
        put_efi_part(w, whole, map->descr_size, 0, tally, false);
        put_efi_part(w, whole, map->descr_size, tally, tally_end, true);
        put_efi_part(w, whole, map->descr_size, tally_end, ~0ull, false);
    }
    tag_end(w, begin);
}

/* The table. GRUB takes a kernel that requires one of these, whether there is one or not. */

static void (*const tags[MULTIBOOT2_TAG_TYPES])(struct writer *, const struct loader *, u32) = {
    [MULTIBOOT2_TAG_CMDLINE] = tag_of_command_line,
    [MULTIBOOT2_TAG_BOOT_LOADER_NAME] = tag_of_loader_name,
    [MULTIBOOT2_TAG_MODULE] = tags_of_modules,
    [MULTIBOOT2_TAG_BASIC_MEMINFO] = tag_of_memory_sizes,
    [MULTIBOOT2_TAG_BOOTDEV] = tag_as_told,
    [MULTIBOOT2_TAG_MMAP] = tag_of_memory_map,
    [MULTIBOOT2_TAG_VBE] = tag_as_told,
    [MULTIBOOT2_TAG_FRAMEBUFFER] = tag_as_told,
    [MULTIBOOT2_TAG_ELF_SECTIONS] = tag_of_sections,
    [MULTIBOOT2_TAG_APM] = tag_as_told,
    [MULTIBOOT2_TAG_EFI32] = tag_as_told,
    [MULTIBOOT2_TAG_EFI64] = tag_as_told,
    [MULTIBOOT2_TAG_SMBIOS] = tag_as_told,
    [MULTIBOOT2_TAG_ACPI_OLD] = tag_as_told,
    [MULTIBOOT2_TAG_ACPI_NEW] = tag_as_told,
    [MULTIBOOT2_TAG_NETWORK] = tag_as_told,
    [MULTIBOOT2_TAG_EFI_MMAP] = tag_of_efi_map,
    [MULTIBOOT2_TAG_EFI_BS] = NULL, /* boot services have ended */
    [MULTIBOOT2_TAG_EFI32_IH] = tag_as_told,
    [MULTIBOOT2_TAG_EFI64_IH] = tag_as_told,
    [MULTIBOOT2_TAG_LOAD_BASE_ADDR] = tag_of_load_address,
};

void multiboot2_tell(struct writer *w, const struct loader *loader, struct guest_start *start)
{
    struct multiboot2_info header = {0};
    start->eax = MULTIBOOT2_BOOTLOADER_MAGIC;
    start->ebx = put_aligned(w, &header, sizeof(header));
    start->esp = MULTIBOOT_START_ESP;
    for (u32 type = 0; type < ARRAY_SIZE(tags); type++) {
        if (tags[type])
            tags[type](w, loader, type);
    }
    put_tag(w, MULTIBOOT2_TAG_END, NULL, 0);
    if (w->memory)
        ((struct multiboot2_info *)(w->memory + start->ebx - w->address))->total_size =
            w->address + w->used - start->ebx;
}
