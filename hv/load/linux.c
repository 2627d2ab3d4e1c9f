/* Linux bzImages by the 32-bit boot protocol (Documentation/arch/x86/boot.rst in Linux). */
#include "load/linux.h"

#include "lib/string.h"
#include "load/loader.h"
#include "host/paging.h"

#define OLDEST_VERSION 0x020A /* 2.10: pref_address and init_size */

static struct linux_header header; /* the kernel's, and what it is told in it */
static u64 rsdp_page;

static bool recognized(struct loader *loader)
{
    if (loader->image.size < LINUX_HEADER_OFFSET + sizeof(header))
        return false;
    memcpy(&header, loader->image.file + LINUX_HEADER_OFFSET, sizeof(header));
    return header.boot_flag == LINUX_BOOT_FLAG && header.magic == LINUX_HEADER_MAGIC;
}

static bool check_header(struct loader *loader)
{
    if (header.version < OLDEST_VERSION)
        return refuse(loader, "the Linux kernel is too old: boot protocol %u.%02u, 2.10 is needed",
                      header.version >> 8, header.version & 0xFF);
    if (!(header.loadflags & LINUX_LOADED_HIGH))
        return refuse(loader, "the Linux kernel is a zImage, a bzImage is needed");
    u32 align = header.kernel_alignment;
    if (align < PAGE_SIZE || (align & (align - 1)))
        return refuse(loader, "the Linux kernel asks for an impossible alignment of 0x%x", align);
    size_t length = strlen(loader->info->module[0].command_line);
    if (length > header.cmdline_size)
        return refuse(loader, "the Linux kernel takes command lines of %u bytes, this one has %u",
                      header.cmdline_size, (unsigned)length);
    return true;
}

/* Where the kernel wants to be, or if that is not free and it can be elsewhere, somewhere above:
 * it would not run below. */
static u64 load_address(const struct loader *loader, u64 size)
{
    u64 wish = header.pref_address, other = 0;
    if (header.relocatable_kernel && !memory_map_is_ram(loader->map, wish, size))
        other = memory_map_find(loader->map, LOWEST, size, header.kernel_alignment, wish, 4 * GIB,
                                loader->used, loader->used_count);
    return other ? other : wish;
}

static bool read_kernel(struct loader *loader)
{
    struct image *image = &loader->image;
    if (!check_header(loader))
        return false;
    u64 sectors = header.setup_sects ? header.setup_sects : 4;
    u64 offset = (sectors + 1) * LINUX_SECTOR, told = header.syssize * 16ull;
    if (offset >= image->size || told > image->size - offset + 15)
        return refuse(loader, "the Linux kernel is truncated: 0x%lx of 0x%lx bytes are there",
                      image->size, offset + told);
    u64 in_file = image->size - offset;
    u64 size = header.init_size > in_file ? header.init_size : in_file;
    u64 address = load_address(loader, size);
    image->count = 1;
    image->segment[0] = (struct image_segment){address, size, offset, in_file};
    image->entry = address;
    return true;
}

/* Where memory ends for this kernel by its command line (boot protocol, 'Special Command Line
 * Options'): `mem=` and a size in C's notation. 0: nothing is said. */

static u64 parse_size(const char *text)
{
    static const char suffixes[] = "KMGTPE";
    u64 base = 10, value = 0;
    if (*text == '0')
        base = (text[1] | 0x20) == 'x' ? 16 : 8;
    for (text += base == 16 ? 2 : 0;; text++) {
        char c = *text | 0x20;
        unsigned digit = c >= 'a' ? c - 'a' + 10u : c - '0' + 0u;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    const char *suffix = *text > ' ' ? strchr(suffixes, *text & ~0x20) : NULL;
    return suffix ? value << 10 * (suffix - suffixes + 1) : value;
}

static u64 mem_option(const char *command_line)
{
    u64 end = 0;
    for (const char *word = command_line; word; word = strchr(word, ' ')) {
        word += *word == ' ';
        if (strncmp(word, "mem=", 4) == 0)
            end = parse_size(word + 4);
    }
    return end;
}

/* The initrd: one module can stay where it is; several are put one after another, as the kernel
 * takes them. */

static bool initrd_can_stay(const struct loader *loader, u64 limit)
{
    const struct module *module = guest_module(loader, 0);
    return loader->guest_modules == 1 && module->start + module->size <= limit &&
           module_can_stay(loader, module);
}

static bool initrd_place(struct loader *loader)
{
    u64 size = 0, limit = header.initrd_addr_max + 1ull;
    u64 end_of_memory = mem_option(loader->info->module[0].command_line);
    if (end_of_memory && end_of_memory < limit)
        limit = end_of_memory;
    for (unsigned i = 0; i < loader->guest_modules; i++)
        size += align_up(guest_module(loader, i)->size, 4);
    if (size == 0)
        return true;
    header.ramdisk_image = (u32)guest_module(loader, 0)->start;
    header.ramdisk_size = (u32)guest_module(loader, 0)->size;
    if (initrd_can_stay(loader, limit))
        return true;
    u64 place = take_room(loader, "the initrd", HIGHEST, size, MIB, limit);
    if (!place)
        return false;
    u8 *to = memset(physical(place), 0, size);
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        memcpy(to, physical(module->start), module->size);
        to += align_up(module->size, 4);
    }
    header.ramdisk_image = (u32)place;
    header.ramdisk_size = (u32)size;
    return true;
}

/* On a UEFI machine there is no BIOS area to search for the RSDP: the guest gets the copy of it,
 * in a page that its map keeps for ACPI. */
static bool rsdp_place(struct loader *loader)
{
    const struct boot_info *info = loader->info;
    rsdp_page = 0;
    if (!info->efi || !info->rsdp[0])
        return true;
    rsdp_page = take_behind(loader, "ACPI's root pointer", PAGE_SIZE);
    if (!rsdp_page)
        return false;
    if (!memory_map_set(loader->map, rsdp_page, PAGE_SIZE, MEMORY_ACPI_RECLAIMABLE))
        return refuse(loader, "the memory map has too many ranges");
    memset(physical(rsdp_page), 0, PAGE_SIZE);
    memcpy(physical(rsdp_page), info->rsdp, sizeof(info->rsdp));
    return true;
}

/* The screen: VGA text as the BIOS leaves it, or the loader's framebuffer. */

static void tell_framebuffer(const struct boot_info *info, struct linux_screen_info *to)
{
    const struct multiboot2_framebuffer *from = &info->framebuffer;
    u64 bytes = (u64)from->pitch * from->height;
    to->orig_video_is_vga = info->efi ? LINUX_VIDEO_EFI : LINUX_VIDEO_VESA;
    to->lfb_size = (u32)(info->efi ? bytes : align_up(bytes, 64 * KIB) / (64 * KIB));
    to->lfb_base = (u32)from->addr;
    to->ext_lfb_base = (u32)(from->addr >> 32);
    to->capabilities = to->ext_lfb_base ? LINUX_SCREEN_64BIT_BASE : 0;
    to->lfb_width = (u16)from->width;
    to->lfb_height = (u16)from->height;
    to->lfb_depth = from->bpp;
    to->lfb_linelength = (u16)from->pitch;
    for (unsigned i = 0; i < 3; i++)
        to->color[i] = (struct linux_color){from->color_info[2 * i + 1], from->color_info[2 * i]};
    if (from->bpp == 32)
        to->color[3] = (struct linux_color){.size = 8, .pos = 24};
}

static void tell_screen(const struct boot_info *info, struct linux_screen_info *to)
{
    if (info->framebuffer.addr && info->framebuffer.type == MULTIBOOT_FRAMEBUFFER_RGB) {
        tell_framebuffer(info, to);
    } else if (!info->efi) {
        to->orig_video_mode = 3;
        to->orig_video_cols = 80;
        to->orig_video_lines = 25;
        to->orig_video_ega_bx = 3; /* 256 KiB of video memory */
        to->orig_video_is_vga = LINUX_VIDEO_VGA_TEXT;
        to->orig_video_points = 16;
    }
}

static u32 entries_in_page(const struct memory_map *map)
{
    return map->count < LINUX_E820_MAX ? map->count : LINUX_E820_MAX;
}

static struct linux_e820_entry e820_entry(const struct memory_range *range)
{
    return (struct linux_e820_entry){range->base, range->size, range->type};
}

static void tell_memory(const struct memory_map *map, u32 upper, struct linux_boot_params *params)
{
    params->alt_mem_k = upper;
    params->screen_info.ext_mem_k = upper < 0xFFFF ? (u16)upper : 0xFFFF;
    params->e820_entries = (u8)entries_in_page(map);
    for (u32 i = 0; i < params->e820_entries; i++)
        params->e820_table[i] = e820_entry(&map->range[i]);
}

/* The ranges for which the zero page has no room; the address of their list, 0: none. */
static u32 put_more_memory(struct writer *w, const struct memory_map *map)
{
    u32 first = entries_in_page(map), count = map->count - first;
    struct linux_setup_data list = {0, LINUX_SETUP_E820_EXT,
                                    count * sizeof(struct linux_e820_entry)};
    if (!count)
        return 0;
    u32 address = put_aligned(w, &list, sizeof(list));
    for (u32 i = first; i < map->count; i++) {
        struct linux_e820_entry entry = e820_entry(&map->range[i]);
        put(w, &entry, sizeof(entry));
    }
    return address;
}

static void tell_linux(struct writer *w, struct guest_start *start)
{
    static struct linux_boot_params params;
    const struct loader *loader = w->loader;
    const u32 *kib = physical(tag_body(w, MULTIBOOT2_TAG_BASIC_MEMINFO));
    size_t known = 0x202 + header.jump_distance - LINUX_HEADER_OFFSET;
    memset(&params, 0, sizeof(params));
    header.code32_start = start->entry;
    header.type_of_loader = LINUX_LOADER_OTHER;
    header.cmd_line_ptr = tag_body(w, MULTIBOOT2_TAG_CMDLINE);
    header.setup_data = put_more_memory(w, loader->map);
    memcpy(&params.header, &header, known < sizeof(header) ? known : sizeof(header));
    params.acpi_rsdp_addr = rsdp_page;
    tell_screen(loader->info, &params.screen_info);
    tell_memory(loader->map, kib[1], &params);
    start->esi = put_aligned(w, &params, sizeof(params));
}

static bool place_modules(struct loader *loader)
{
    return initrd_place(loader) && rsdp_place(loader);
}

const struct protocol linux_protocol = {recognized, read_kernel, place_modules, tell_linux};
