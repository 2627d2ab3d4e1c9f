/* Linux bzImages by the 32-bit boot protocol (Documentation/arch/x86/boot.rst in Linux). */
#include "load/linux.h"

#include "lib/string.h"
#include "load/loader.h"
#include "host/paging.h"

#define OLDEST_VERSION 0x020A /* 2.10: pref_address and init_size */

static bool read_header(const u8 *file, u64 size, struct linux_header *header)
{
    memset(header, 0, sizeof(*header));
    if (size < LINUX_HEADER_OFFSET + sizeof(*header))
        return false;
    memcpy(header, file + LINUX_HEADER_OFFSET, sizeof(*header));
    return header->boot_flag == LINUX_BOOT_FLAG && header->magic == LINUX_HEADER_MAGIC;
}

bool linux_recognized(const u8 *file, u64 size)
{
    struct linux_header header;
    return read_header(file, size, &header);
}

static bool check_header(struct loader *loader, const struct linux_header *header)
{
    if (header->version < OLDEST_VERSION)
        return refuse(loader, "the Linux kernel is too old: boot protocol %u.%02u, 2.10 is needed",
                      header->version >> 8, header->version & 0xFF);
    if (!(header->loadflags & LINUX_LOADED_HIGH))
        return refuse(loader, "the Linux kernel is a zImage, a bzImage is needed");
    u32 align = header->kernel_alignment;
    if (align < PAGE_SIZE || (align & (align - 1)))
        return refuse(loader, "the Linux kernel asks for an impossible alignment of 0x%x", align);
    size_t length = strlen(loader->info->module[0].command_line);
    if (length > header->cmdline_size)
        return refuse(loader, "the Linux kernel takes command lines of %u bytes, this one has %u",
                      header->cmdline_size, (unsigned)length);
    return true;
}

/* Where the kernel wants to be, or if that is not free and it can be elsewhere, somewhere above:
 * it would not run below. */
static u64 load_address(struct loader *loader, const struct linux_header *header, u64 size)
{
    u64 wish = header->pref_address, other = 0;
    if (header->relocatable_kernel && !memory_map_is_ram(loader->map, wish, size))
        other = memory_map_find_lowest(loader->map, size, header->kernel_alignment, wish, 4 * GIB,
                                       loader->used, loader->used_count);
    return other ? other : wish;
}

static bool read_image(struct loader *loader, struct image *image,
                       const struct linux_header *header)
{
    u64 sectors = header->setup_sects ? header->setup_sects : 4;
    u64 offset = (sectors + 1) * LINUX_SECTOR, told = header->syssize * 16ull;
    if (offset >= image->size || told > image->size - offset + 15)
        return refuse(loader, "the Linux kernel is truncated: 0x%lx of 0x%lx bytes are there",
                      image->size, offset + told);
    u64 in_file = image->size - offset;
    u64 size = header->init_size > in_file ? header->init_size : in_file;
    u64 address = load_address(loader, header, size);
    image->count = 1;
    image->segment[0] = (struct segment){address, size, offset, in_file};
    image->entry = address;
    return true;
}

/* The initrd: one module can stay where it is; several are put one behind another, as the kernel
 * takes them. */

static bool initrd_can_stay(const struct loader *loader, const struct image *image, u64 limit)
{
    const struct module *module = guest_module(loader, 0);
    return loader->guest_modules == 1 && module->start + module->size <= limit &&
           module_can_stay(loader, module, image);
}

static bool initrd_place(struct loader *loader, const struct image *image,
                         struct linux_header *header)
{
    u64 size = 0, used = 0, limit = header->initrd_addr_max + 1ull;
    for (unsigned i = 0; i < loader->guest_modules; i++)
        size += align_up(guest_module(loader, i)->size, 4);
    if (size == 0)
        return true;
    header->ramdisk_image = (u32)guest_module(loader, 0)->start;
    header->ramdisk_size = (u32)guest_module(loader, 0)->size;
    if (initrd_can_stay(loader, image, limit))
        return true;
    u64 place = take_highest(loader, "the initrd", size, MIB, limit);
    if (!place)
        return false;
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        u8 *to = physical(place + used);
        memcpy(to, physical(module->start), module->size);
        memset(to + module->size, 0, align_up(module->size, 4) - module->size);
        used += align_up(module->size, 4);
    }
    header->ramdisk_image = (u32)place;
    header->ramdisk_size = (u32)size;
    return true;
}

/* On a UEFI machine there is no BIOS area to search for the RSDP: the guest gets the copy of it,
 * in a page that its map keeps for ACPI. */
static bool rsdp_place(struct loader *loader, const struct image *image, u64 *address)
{
    const struct boot_info *info = loader->info;
    *address = 0;
    if (!info->efi || !info->rsdp[0])
        return true;
    u64 page = take_behind(loader, "ACPI's root pointer", PAGE_SIZE, image);
    if (!page)
        return false;
    if (!memory_map_set(loader->map, page, PAGE_SIZE, MEMORY_ACPI_RECLAIMABLE))
        return refuse(loader, "the memory map has too many ranges");
    memset(physical(page), 0, PAGE_SIZE);
    memcpy(physical(page), info->rsdp, sizeof(info->rsdp));
    *address = page;
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
    to->red_pos = from->color_info[0];
    to->red_size = from->color_info[1];
    to->green_pos = from->color_info[2];
    to->green_size = from->color_info[3];
    to->blue_pos = from->color_info[4];
    to->blue_size = from->color_info[5];
    if (from->bpp == 32) {
        to->rsvd_pos = 24;
        to->rsvd_size = 8;
    }
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

static void tell_memory(const struct memory_map *map, struct linux_boot_params *params)
{
    _Static_assert(MEMORY_MAP_MAX <= LINUX_E820_MAX, "the whole map has room");
    u32 lower, upper;
    memory_sizes(map, &lower, &upper);
    params->alt_mem_k = upper;
    params->screen_info.ext_mem_k = upper < 0xFFFF ? (u16)upper : 0xFFFF;
    params->e820_entries = (u8)map->count;
    for (unsigned i = 0; i < map->count; i++)
        params->e820_table[i] =
            (struct linux_e820_entry){map->range[i].base, map->range[i].size, map->range[i].type};
}

/* Writes the zero page and the command line; returns the zero page's address. */
static u32 put_params(const struct loader *loader, const struct linux_header *header, u64 rsdp)
{
    u64 used = PAGE_SIZE; /* the zero page on a page of its own, behind the GDT's */
    u32 address, command_line;
    struct linux_boot_params *params = block_take(loader, &used, sizeof(*params), &address);
    const char *text = loader->info->module[0].command_line;
    size_t length = strlen(text) + 1, known = 0x202 + header->jump_distance - LINUX_HEADER_OFFSET;
    memcpy(block_take(loader, &used, length, &command_line), text, length);
    memcpy(&params->header, header, known < sizeof(*header) ? known : sizeof(*header));
    params->header.type_of_loader = LINUX_LOADER_OTHER;
    params->header.cmd_line_ptr = command_line;
    params->acpi_rsdp_addr = rsdp;
    tell_screen(loader->info, &params->screen_info);
    tell_memory(loader->map, params);
    return address;
}
_Static_assert(PAGE_SIZE + sizeof(struct linux_boot_params) + COMMAND_LINE_MAX <= BLOCK_SIZE,
               "everything has room in the block");

bool linux_load(struct loader *loader, struct image *image, struct guest_start *start)
{
    struct linux_header header;
    u64 rsdp;
    read_header(image->file, image->size, &header);
    if (!check_header(loader, &header) || !read_image(loader, image, &header) ||
        !image_place(loader, image) || !initrd_place(loader, image, &header) ||
        !block_place(loader, image, start) || !rsdp_place(loader, image, &rsdp))
        return false;
    const struct segment *kernel = &image->segment[0];
    memcpy(physical(kernel->address), image->file + kernel->offset, kernel->file_size);
    header.code32_start = (u32)kernel->address;
    start->protocol = "Linux";
    start->esi = put_params(loader, &header, rsdp);
    return true;
}
