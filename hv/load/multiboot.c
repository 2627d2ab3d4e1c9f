/* Guests that follow the Multiboot Specification, version 1. */
#include "load/loader.h"

#include "lib/string.h"
#include "host/paging.h"

#define REQUIRED_FLAGS 0xFFFFu /* a loader that does not know one of these must refuse */
#define KNOWN_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE)

static bool find_header(const u8 *file, u64 size, struct multiboot_header *header, u64 *offset)
{
    u64 end = size < MULTIBOOT_SEARCH ? size : MULTIBOOT_SEARCH;
    for (*offset = 0; *offset + 12 <= end; *offset += 4) {
        memset(header, 0, sizeof(*header));
        memcpy(header, file + *offset, 12);
        if (header->magic != MULTIBOOT_HEADER_MAGIC ||
            header->magic + header->flags + header->checksum != 0)
            continue;
        if (!(header->flags & MULTIBOOT_AOUT_KLUDGE))
            return true;
        if (*offset + sizeof(*header) <= end) {
            memcpy(header, file + *offset, sizeof(*header));
            return true;
        }
    }
    return false;
}

bool multiboot_recognized(const u8 *file, u64 size)
{
    struct multiboot_header header;
    u64 offset;
    return find_header(file, size, &header, &offset);
}

bool address_fields_read(struct loader *loader, struct image *image, u64 header_offset,
                         const struct address_fields *fields)
{
    u64 before = (u64)fields->header_addr - fields->load_addr;
    if (fields->header_addr < fields->load_addr || before > header_offset)
        return refuse(loader,
                      "the multiboot header's load_addr 0x%x does not suit its own "
                      "address 0x%x",
                      fields->load_addr, fields->header_addr);
    u64 offset = header_offset - before, in_file = image->size - offset, size = in_file;
    if (fields->load_end_addr) {
        if (fields->load_end_addr < fields->load_addr)
            return refuse(loader, "the multiboot header's load_end_addr 0x%x is below load_addr",
                          fields->load_end_addr);
        size = fields->load_end_addr - fields->load_addr;
    }
    if (size > in_file)
        return refuse(loader, "the kernel file is truncated: 0x%lx of 0x%lx bytes are there",
                      in_file, size);
    u64 memory = size;
    if (fields->bss_end_addr) {
        if (fields->bss_end_addr < fields->load_addr + size)
            return refuse(loader,
                          "the multiboot header's bss_end_addr 0x%x is below the end of "
                          "what is loaded",
                          fields->bss_end_addr);
        memory = fields->bss_end_addr - fields->load_addr;
    }
    image->count = 1;
    image->segment[0] = (struct segment){fields->load_addr, memory, offset, size};
    image->entry = fields->entry_addr;
    return true;
}

static bool read_image(struct loader *loader, struct image *image)
{
    struct multiboot_header header = {0};
    u64 offset;
    find_header(image->file, image->size, &header, &offset);
    u32 unknown = header.flags & REQUIRED_FLAGS & ~KNOWN_FLAGS;
    if (unknown)
        return refuse(loader, "the multiboot header requires unknown features (flags 0x%x)",
                      unknown);
    if (header.flags & MULTIBOOT_AOUT_KLUDGE) {
        struct address_fields fields = {header.header_addr, header.load_addr, header.load_end_addr,
                                        header.bss_end_addr, header.entry_addr};
        return address_fields_read(loader, image, offset, &fields);
    }
    if (!elf_recognized(image->file, image->size))
        return refuse(loader, "the kernel has a multiboot header without addresses and is not ELF");
    return elf_read(loader, image);
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

static u32 put_string(const struct loader *loader, u64 *used, const char *text)
{
    u32 address;
    size_t size = strlen(text) + 1;
    memcpy(block_take(loader, used, size, &address), text, size);
    return address;
}

static void put_modules(const struct loader *loader, u64 *used, struct multiboot_info *info)
{
    u64 size = loader->guest_modules * sizeof(struct multiboot_module);
    u32 address;
    struct multiboot_module *to = block_take(loader, used, size, &address);
    info->mods_addr = address;
    info->mods_count = loader->guest_modules;
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        to[i] = (struct multiboot_module){
            .mod_start = (u32)loader->module[i],
            .mod_end = (u32)(loader->module[i] + module->size),
            .cmdline = put_string(loader, used, module->command_line),
        };
    }
}

static void put_map(const struct loader *loader, u64 *used, struct multiboot_info *info)
{
    info->mmap_length = loader->map->count * sizeof(struct multiboot_mmap_entry);
    u32 address;
    struct multiboot_mmap_entry *to = block_take(loader, used, info->mmap_length, &address);
    info->mmap_addr = address;
    for (unsigned i = 0; i < loader->map->count; i++) {
        const struct memory_range *range = &loader->map->range[i];
        to[i] = (struct multiboot_mmap_entry){.size = sizeof(*to) - sizeof(to->size),
                                              .addr = range->base,
                                              .len = range->size,
                                              .type = range->type};
    }
}

static void put_framebuffer(const struct boot_info *from, struct multiboot_info *info)
{
    if (!from->framebuffer.addr)
        return;
    info->flags |= MULTIBOOT_INFO_FRAMEBUFFER;
    info->framebuffer_addr = from->framebuffer.addr;
    info->framebuffer_pitch = from->framebuffer.pitch;
    info->framebuffer_width = from->framebuffer.width;
    info->framebuffer_height = from->framebuffer.height;
    info->framebuffer_bpp = from->framebuffer.bpp;
    info->framebuffer_type = from->framebuffer.type;
    memcpy(info->color_info, from->framebuffer.color_info, sizeof(info->color_info));
}

/* Returns the address of the information. */
static u32 put_info(const struct loader *loader)
{
    u64 used = GDT_SIZE;
    u32 address;
    struct multiboot_info *info = block_take(loader, &used, sizeof(*info), &address);
    *info = (struct multiboot_info){
        .flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODS |
                 MULTIBOOT_INFO_MEM_MAP | MULTIBOOT_INFO_BOOT_LOADER_NAME,
        .cmdline = put_string(loader, &used, loader->info->module[0].command_line),
        .boot_loader_name = put_string(loader, &used, "Tally"),
    };
    u32 lower, upper;
    memory_sizes(loader->map, &lower, &upper);
    info->mem_lower = lower;
    info->mem_upper = upper;
    put_modules(loader, &used, info);
    put_map(loader, &used, info);
    put_framebuffer(loader->info, info);
    return address;
}
_Static_assert(GDT_SIZE + sizeof(struct multiboot_info) + COMMAND_LINES_MAX + 16 +
                       MODULES_MAX * (sizeof(struct multiboot_module) + 8) +
                       MEMORY_MAP_MAX * sizeof(struct multiboot_mmap_entry) <=
                   BLOCK_SIZE,
               "everything has room in the block");

bool multiboot_load(struct loader *loader, struct image *image, struct guest_start *start)
{
    if (!read_image(loader, image) || !image_place(loader, image) ||
        !modules_place(loader, image) || !block_place(loader, image, start))
        return false;
    image_write(image);
    start->protocol = "multiboot";
    start->eax = MULTIBOOT_BOOTLOADER_MAGIC;
    start->ebx = put_info(loader);
    return true;
}
