/* What a guest is told by version 1 of multiboot: what tags.c tells, as far as it has fields. */
#include "load/loader.h"

#include "lib/string.h"

static void put_modules(struct writer *w, const struct loader *loader, struct multiboot_info *to)
{
    u32 size = loader->guest_modules * sizeof(struct multiboot_module);
    u32 text = put_aligned(w, NULL, 0) + size; /* the command lines follow the list */
    if (!loader->guest_modules)
        return;
    to->flags |= MULTIBOOT_INFO_MODS;
    to->mods_count = loader->guest_modules;
    to->mods_addr = text - size;
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        u32 start = (u32)loader->module[i];
        struct multiboot_module entry = {start, start + (u32)module->size, text, 0};
        put_bytes(w, &entry, sizeof(entry));
        text += strlen(module->command_line) + 1;
    }
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const char *line = guest_module(loader, i)->command_line;
        put_bytes(w, line, strlen(line) + 1);
    }
}

static void put_memory(struct writer *w, const struct memory_map *map, struct multiboot_info *to)
{
    u32 lower, upper;
    memory_sizes(map, &lower, &upper);
    to->flags |= MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MEM_MAP;
    to->mem_lower = lower;
    to->mem_upper = upper;
    to->mmap_addr = put_aligned(w, NULL, 0);
    to->mmap_length = map->count * sizeof(struct multiboot_mmap_entry);
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];
        struct multiboot_mmap_entry entry = {.size = sizeof(entry) - sizeof(entry.size),
                                             .addr = range->base,
                                             .len = range->size,
                                             .type = range->type};
        put_bytes(w, &entry, sizeof(entry));
    }
}

static void put_sections(const struct sections *from, struct multiboot_info *to)
{
    if (!from->count)
        return;
    to->flags |= MULTIBOOT_INFO_ELF_SHDR;
    to->elf_num = from->count;
    to->elf_size = from->header_size;
    to->elf_addr = (u32)from->place;
    to->elf_shndx = from->names;
}

static void put_boot_device(const struct multiboot2_bootdev *from, struct multiboot_info *to)
{
    if (!from)
        return;
    to->flags |= MULTIBOOT_INFO_BOOTDEV;
    to->boot_device =
        from->biosdev << 24 | (from->slice & 0xFF) << 16 | (from->part & 0xFF) << 8 | 0xFF;
}

static void put_vbe(struct writer *w, const struct multiboot2_vbe *from, struct multiboot_info *to)
{
    if (!from)
        return;
    to->flags |= MULTIBOOT_INFO_VBE_INFO;
    to->vbe_control_info = put_aligned(w, from->control_info, sizeof(from->control_info));
    to->vbe_mode_info = put_aligned(w, from->mode_info, sizeof(from->mode_info));
    to->vbe_mode = from->mode;
    to->vbe_interface_seg = from->interface_seg;
    to->vbe_interface_off = from->interface_off;
    to->vbe_interface_len = from->interface_len;
}

/* A palette has no room in the fields. */
static void put_framebuffer(const struct multiboot2_framebuffer *from, struct multiboot_info *to)
{
    if (!from->addr || from->type == MULTIBOOT_FRAMEBUFFER_INDEXED)
        return;
    to->flags |= MULTIBOOT_INFO_FRAMEBUFFER;
    memcpy((u8 *)to + offsetof(struct multiboot_info, framebuffer_addr), &from->addr,
           FRAMEBUFFER_COMMON + sizeof(from->color_info));
}

static void put_apm(struct writer *w, const struct multiboot2_tag *from, struct multiboot_info *to)
{
    if (!from)
        return;
    to->flags |= MULTIBOOT_INFO_APM_TABLE;
    to->apm_table = put_aligned(w, from + 1, MULTIBOOT_APM_SIZE);
}

void multiboot_tell(struct writer *w, const struct loader *loader, struct guest_start *start)
{
    const struct multiboot2_tag *const *told = loader->info->tag;
    struct multiboot_info info = {
        .flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_BOOT_LOADER_NAME,
        .cmdline = put_text(w, loader->info->module[0].command_line),
        .boot_loader_name = put_text(w, loader_name(loader)),
    };
    put_modules(w, loader, &info);
    put_memory(w, loader->map, &info);
    put_sections(&loader->image.sections, &info);
    put_boot_device((const void *)told[MULTIBOOT2_TAG_BOOTDEV], &info);
    put_vbe(w, (const void *)told[MULTIBOOT2_TAG_VBE], &info);
    put_framebuffer(&loader->info->framebuffer, &info);
    put_apm(w, told[MULTIBOOT2_TAG_APM], &info);
    start->eax = MULTIBOOT_BOOTLOADER_MAGIC;
    start->ebx = put_aligned(w, &info, sizeof(info));
    start->esp = MULTIBOOT_START_ESP;
}
