/* Multiboot 1 and 2 information into one form. Everything in it is checked before it is used. */
#include "platform/boot_info.h"

#include "lib/string.h"

#define TOO_MANY_MODULES "the boot loader gave more than 32 modules"
#define MAP_FULL "the memory map has too many ranges"
#define TOO_LONG "the command lines are too long"
_Static_assert(MODULES_MAX == 32, "the number in the message");

/* Copies a string of at most `limit` bytes (its NUL may be missing) into the pool; NULL: too long.
 */
static const char *keep(struct boot_info *info, const char *from, size_t limit)
{
    size_t length = 0;
    while (length < limit && from[length])
        length++;
    if (length >= COMMAND_LINE_MAX || length >= sizeof(info->text) - info->text_used)
        return NULL;
    char *to = info->text + info->text_used;
    memcpy(to, from, length);
    to[length] = 0;
    info->text_used += length + 1;
    return to;
}

static void keep_loader(struct boot_info *info, const char *from, size_t limit)
{
    size_t i = 0;
    for (; i < limit && i < sizeof(info->loader) - 1 && from[i]; i++)
        info->loader[i] = from[i];
    info->loader[i] = 0;
}

static const char *after_first_word(const char *text)
{
    while (*text && *text != ' ')
        text++;
    while (*text == ' ')
        text++;
    return text;
}

static void drop_file_names(struct boot_info *info)
{
    if (strcmp(info->loader, "qemu") != 0)
        return;
    info->command_line = after_first_word(info->command_line);
    for (unsigned i = 0; i < info->module_count; i++)
        info->module[i].command_line = after_first_word(info->module[i].command_line);
}

static const char *add_module(struct boot_info *info, u32 start, u32 end, const char *command_line,
                              size_t limit)
{
    if (info->module_count == MODULES_MAX)
        return TOO_MANY_MODULES;
    if (end < start)
        return "the boot loader gave a module that ends before it starts";
    const char *text = command_line ? keep(info, command_line, limit) : "";
    if (!text)
        return TOO_LONG;
    info->module[info->module_count++] = (struct module){start, end - start, text};
    return NULL;
}

/* Multiboot 1 */

static const char *read_map_1(struct boot_info *info, const u8 *map, u32 length)
{
    struct multiboot_mmap_entry entry;
    for (u64 step, offset = 0; offset < length; offset += step) {
        if (length - offset < sizeof(entry))
            return "the boot loader's memory map ends within an entry";
        memcpy(&entry, map + offset, sizeof(entry));
        step = (u64)entry.size + sizeof(entry.size);
        if (step < sizeof(entry))
            return "the boot loader's memory map has an entry that is too short";
        if (!memory_map_add(&info->map, entry.addr, entry.len, entry.type))
            return MAP_FULL;
    }
    return NULL;
}

static const char *read_memory_1(struct boot_info *info, const struct multiboot_info *mbi,
                                 const void *(*at)(u64))
{
    if (mbi->flags & MULTIBOOT_INFO_MEM_MAP)
        return read_map_1(info, at(mbi->mmap_addr), mbi->mmap_length);
    if (!(mbi->flags & MULTIBOOT_INFO_MEMORY))
        return "the boot loader gave no memory map";
    bool fits = memory_map_add(&info->map, 0, mbi->mem_lower * KIB, MEMORY_RAM) &&
                memory_map_add(&info->map, MIB, mbi->mem_upper * KIB, MEMORY_RAM);
    return fits ? NULL : MAP_FULL;
}

static const char *read_modules_1(struct boot_info *info, const struct multiboot_info *mbi,
                                  const void *(*at)(u64))
{
    if (mbi->mods_count > MODULES_MAX)
        return TOO_MANY_MODULES;
    for (u32 i = 0; i < mbi->mods_count; i++) {
        struct multiboot_module module;
        memcpy(&module, at(mbi->mods_addr + (u64)i * sizeof(module)), sizeof(module));
        const char *text = module.cmdline ? at(module.cmdline) : NULL;
        const char *error =
            add_module(info, module.mod_start, module.mod_end, text, COMMAND_LINE_MAX);
        if (error)
            return error;
    }
    return NULL;
}

static void read_framebuffer_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    struct multiboot2_framebuffer *to = &info->framebuffer;
    to->addr = mbi->framebuffer_addr;
    to->pitch = mbi->framebuffer_pitch;
    to->width = mbi->framebuffer_width;
    to->height = mbi->framebuffer_height;
    to->bpp = mbi->framebuffer_bpp;
    to->type = mbi->framebuffer_type;
    memcpy(to->color_info, mbi->color_info, sizeof(to->color_info));
}

static const char *read_1(struct boot_info *info, u64 physical, const void *(*at)(u64))
{
    struct multiboot_info mbi;
    const char *error;
    memcpy(&mbi, at(physical), sizeof(mbi));
    if (mbi.flags & MULTIBOOT_INFO_BOOT_LOADER_NAME)
        keep_loader(info, at(mbi.boot_loader_name), sizeof(info->loader));
    if (mbi.flags & MULTIBOOT_INFO_FRAMEBUFFER)
        read_framebuffer_1(info, &mbi);
    if ((error = read_memory_1(info, &mbi, at)))
        return error;
    if (mbi.flags & MULTIBOOT_INFO_CMDLINE)
        info->command_line = keep(info, at(mbi.cmdline), COMMAND_LINE_MAX);
    if (!info->command_line)
        return TOO_LONG;
    return mbi.flags & MULTIBOOT_INFO_MODS ? read_modules_1(info, &mbi, at) : NULL;
}

/* Multiboot 2 */

static const char *read_map_2(struct boot_info *info, const u8 *tag, u32 size)
{
    struct multiboot2_mmap map;
    struct multiboot2_mmap_entry entry;
    if (size < sizeof(map))
        return "the boot loader's memory map is too short";
    memcpy(&map, tag, sizeof(map));
    if (map.entry_size < sizeof(entry))
        return "the boot loader's memory map has entries that are too short";
    for (u64 offset = sizeof(map); offset + sizeof(entry) <= size; offset += map.entry_size) {
        memcpy(&entry, tag + offset, sizeof(entry));
        if (!memory_map_add(&info->map, entry.addr, entry.len, entry.type))
            return MAP_FULL;
    }
    return NULL;
}

static const char *read_module_2(struct boot_info *info, const u8 *tag, u32 size)
{
    struct multiboot2_module module;
    if (size < sizeof(module))
        return "the boot loader gave a module tag that is too short";
    memcpy(&module, tag, sizeof(module));
    return add_module(info, module.mod_start, module.mod_end, (const char *)tag + sizeof(module),
                      size - sizeof(module));
}

static void copy_at_most(void *to, size_t room, const u8 *from, size_t size)
{
    memcpy(to, from, size < room ? size : room);
}

/* One tag, of which `size` bytes are there. */
static const char *read_tag(struct boot_info *info, u32 type, const u8 *tag, u32 size)
{
    const u8 *body = tag + sizeof(struct multiboot2_tag);
    u32 body_size = size - sizeof(struct multiboot2_tag);

    switch (type) {
    case MULTIBOOT2_TAG_CMDLINE:
        info->command_line = keep(info, (const char *)body, body_size);
        return info->command_line ? NULL : TOO_LONG;
    case MULTIBOOT2_TAG_BOOT_LOADER_NAME:
        keep_loader(info, (const char *)body, body_size);
        return NULL;
    case MULTIBOOT2_TAG_MODULE: return read_module_2(info, tag, size);
    case MULTIBOOT2_TAG_MMAP: return read_map_2(info, tag, size);
    case MULTIBOOT2_TAG_FRAMEBUFFER:
        copy_at_most(&info->framebuffer, sizeof(info->framebuffer), tag, size);
        return NULL;
    case MULTIBOOT2_TAG_EFI32:
    case MULTIBOOT2_TAG_EFI64:
    case MULTIBOOT2_TAG_EFI_MMAP: info->efi = true; return NULL;
    case MULTIBOOT2_TAG_ACPI_OLD:
        if (!info->rsdp[0]) /* the newer one says more */
            copy_at_most(info->rsdp, 20, body, body_size);
        return NULL;
    case MULTIBOOT2_TAG_ACPI_NEW:
        copy_at_most(info->rsdp, sizeof(info->rsdp), body, body_size);
        return NULL;
    default: return NULL;
    }
}

static const char *read_2(struct boot_info *info, u64 physical, const void *(*at)(u64))
{
    struct multiboot2_info header;
    struct multiboot2_tag tag;
    const char *error = NULL, *problem;
    const u8 *base = at(physical);
    memcpy(&header, base, sizeof(header));
    for (u64 offset = sizeof(header);; offset += align_up(tag.size, 8)) {
        if (offset + sizeof(tag) > header.total_size)
            return "the boot loader's information has no end";
        memcpy(&tag, base + offset, sizeof(tag));
        if (tag.type == MULTIBOOT2_TAG_END)
            break;
        if (tag.size < sizeof(tag) || tag.size > header.total_size - offset)
            return "the boot loader's information has a tag of impossible size";
        problem = read_tag(info, tag.type, base + offset, tag.size);
        if (!error) /* the rest may tell of a screen to show it on */
            error = problem;
    }
    if (error)
        return error;
    return info->map.count ? NULL : "the boot loader gave no memory map";
}

const char *boot_info_read(struct boot_info *info, u32 magic, u64 physical,
                           const void *(*at)(u64 physical))
{
    const char *error;
    memset(info, 0, sizeof(*info));
    info->command_line = "";
    if (magic == MULTIBOOT_BOOTLOADER_MAGIC)
        error = read_1(info, physical, at);
    else if (magic == MULTIBOOT2_BOOTLOADER_MAGIC)
        error = read_2(info, physical, at);
    else
        error = "not started by a multiboot loader (GRUB's multiboot or multiboot2, qemu -kernel)";
    if (!error)
        drop_file_names(info);
    return error;
}
