/* What a guest is told by version 1 of multiboot: fields that lead into the tags of version 2. */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

static void put_modules(struct writer *w, struct multiboot_info *to)
{
    u32 tag = w->tag[MULTIBOOT2_TAG_MODULE];
    if (!tag)
        return;
    to->flags |= MULTIBOOT_INFO_MODS;
    to->mods_count = w->loader->guest_modules;
    to->mods_addr = put_aligned(w, NULL, 0);
    for (unsigned i = 0; i < to->mods_count; i++) {
        const struct multiboot2_module *module = physical(tag);
        struct multiboot_module entry = {module->mod_start, module->mod_end, tag + sizeof(*module),
                                         0};
        put(w, &entry, sizeof(entry));
        tag += align_up(module->tag.size, 8);
    }
}

static void put_memory_map(struct writer *w, struct multiboot_info *to)
{
    const struct memory_map *map = w->loader->map;
    to->mmap_addr = put_aligned(w, NULL, 0);
    to->mmap_length = map->count * sizeof(struct multiboot_mmap_entry);
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];
        struct multiboot_mmap_entry entry = {.size = sizeof(entry) - sizeof(entry.size),
                                             .addr = range->base,
                                             .len = range->size,
                                             .type = range->type};
        put(w, &entry, sizeof(entry));
    }
}

static void tell_sections(const struct image *image, struct multiboot_info *to)
{
    if (!image->sections.count)
        return;
    to->flags |= MULTIBOOT_INFO_ELF_SHDR;
    to->elf_num = image->sections.count;
    to->elf_size = image->sections.size;
    to->elf_addr = (u32)image->sections_place;
    to->elf_shndx = image->section_names;
}

static void tell_boot_device(const struct multiboot2_bootdev *from, struct multiboot_info *to)
{
    to->flags |= MULTIBOOT_INFO_BOOTDEV;
    to->boot_device =
        from->biosdev << 24 | (from->slice & 0xFF) << 16 | (from->part & 0xFF) << 8 | 0xFF;
}

static void tell_vbe(u32 tag, struct multiboot_info *to)
{
    const struct multiboot2_vbe *from = physical(tag);
    to->flags |= MULTIBOOT_INFO_VBE_INFO;
    to->vbe_control_info = tag + offsetof(struct multiboot2_vbe, control_info);
    to->vbe_mode_info = tag + offsetof(struct multiboot2_vbe, mode_info);
    to->vbe_mode = from->mode;
    to->vbe_interface_seg = from->interface_seg;
    to->vbe_interface_off = from->interface_off;
    to->vbe_interface_len = from->interface_len;
}

/* A palette has no room in the fields. */
static void tell_framebuffer(const struct multiboot2_framebuffer *from, struct multiboot_info *to)
{
    if (!from->addr || from->type == MULTIBOOT_FRAMEBUFFER_INDEXED)
        return;
    to->flags |= MULTIBOOT_INFO_FRAMEBUFFER;
    memcpy((u8 *)to + offsetof(struct multiboot_info, framebuffer_addr), &from->addr,
           FRAMEBUFFER_COMMON + sizeof(from->color_info));
}

void multiboot_tell(struct writer *w, struct guest_start *start)
{
    struct multiboot_info info = {
        .flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_BOOT_LOADER_NAME | MULTIBOOT_INFO_MEMORY |
                 MULTIBOOT_INFO_MEM_MAP,
        .cmdline = tag_body(w, MULTIBOOT2_TAG_CMDLINE),
        .boot_loader_name = tag_body(w, MULTIBOOT2_TAG_BOOT_LOADER_NAME),
        .apm_table = tag_body(w, MULTIBOOT2_TAG_APM),
    };
    const u32 *kib = physical(tag_body(w, MULTIBOOT2_TAG_BASIC_MEMINFO));
    info.mem_lower = kib[0];
    info.mem_upper = kib[1];
    put_modules(w, &info);
    put_memory_map(w, &info);
    tell_sections(&w->loader->image, &info);
    if (w->tag[MULTIBOOT2_TAG_BOOTDEV])
        tell_boot_device(physical(w->tag[MULTIBOOT2_TAG_BOOTDEV]), &info);
    if (w->tag[MULTIBOOT2_TAG_VBE])
        tell_vbe(w->tag[MULTIBOOT2_TAG_VBE], &info);
    if (info.apm_table)
        info.flags |= MULTIBOOT_INFO_APM_TABLE;
    tell_framebuffer(&w->loader->info->framebuffer, &info);
    start->eax = MULTIBOOT_BOOTLOADER_MAGIC;
    start->ebx = put_aligned(w, &info, sizeof(info));
    start->esp = MULTIBOOT_START_ESP;
}
