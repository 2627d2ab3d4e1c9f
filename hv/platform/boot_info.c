/* Multiboot 1 and 2 information into one form. Everything in it is checked before it is used. */
#include "platform/boot_info.h"

#include "host/paging.h"
#include "lib/string.h"

#define TOO_MANY_MODULES "the boot loader gave more than 256 modules"
#define TOO_LONG                                                                                   \
    "the boot loader's information is too long: more than 64 KiB with all command lines"
_Static_assert(MODULES_MAX == 256 && MEMORY_MAP_MAX == 512 && BOOT_INFO_POOL == 0x10000,
               "the numbers in the messages");

/* Zeroed bytes of the pool; NULL: it is full. */
static void *pool_take(struct boot_info *info, size_t size)
{
    if (size > sizeof(info->pool) - info->pool_used)
        return NULL;
    void *place = info->pool + info->pool_used;
    info->pool_used = align_up(info->pool_used + size, 8);
    return place;
}

const char *copy_text(struct boot_info *info, const char **to, const char *from, size_t limit)
{
    size_t length = 0;
    while (length < limit && length < sizeof(info->pool) && from[length])
        length++;
    char *copy = pool_take(info, length + 1);
    if (!copy)
        return TOO_LONG;
    memcpy(copy, from, length);
    *to = copy;
    return NULL;
}

const char *copy_tag(struct boot_info *info, u32 type, const void *body, size_t size)
{
    struct multiboot2_tag *tag = pool_take(info, sizeof(*tag) + size);
    if (!tag)
        return TOO_LONG;
    *tag = (struct multiboot2_tag){type, (u32)(sizeof(*tag) + size)};
    memcpy(tag + 1, body, size);
    info->tag[type] = tag;
    return NULL;
}

static const char *after_first_word(const char *text)
{
    while (*text && *text != ' ')
        text++;
    while (*text == ' ')
        text++;
    return text;
}

bool boot_info_is_grub(const struct boot_info *info)
{
    return strncmp(info->loader, "GRUB ", 5) == 0; /* version 1 is "GNU GRUB 0." */
}

static void drop_file_names(struct boot_info *info)
{
    const char *options = after_first_word(info->command_line), *equals;
    equals = strchr(info->command_line, '=');
    if (boot_info_is_grub(info) || (equals && equals < options)) /* no file, but an option */
        return;
    info->command_line = options;
    for (unsigned i = 0; i < info->module_count; i++)
        info->module[i].command_line = after_first_word(info->module[i].command_line);
}

const char *boot_info_add_module(struct boot_info *info, u32 start, u32 end,
                                 const char *command_line, size_t limit)
{
    if (info->module_count == MODULES_MAX)
        return TOO_MANY_MODULES;
    if (end < start)
        return "the boot loader gave a module that ends before it starts";
    struct module *module = &info->module[info->module_count++];
    *module = (struct module){start, end - start, ""};
    return command_line ? copy_text(info, &module->command_line, command_line, limit) : NULL;
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
    return boot_info_add_module(info, module.mod_start, module.mod_end,
                                (const char *)tag + sizeof(module), size - sizeof(module));
}

/* The least size of tags that are handed on. Not among them: what is Tally's own or the guest's own
 * (sections, load address), and that boot services go on, since they have ended. */
static const u16 handed_on[MULTIBOOT2_TAG_TYPES] = {
    [MULTIBOOT2_TAG_BOOTDEV] = sizeof(struct multiboot2_bootdev),
    [MULTIBOOT2_TAG_VBE] = sizeof(struct multiboot2_vbe),
    [MULTIBOOT2_TAG_FRAMEBUFFER] = sizeof(struct multiboot2_tag) + FRAMEBUFFER_COMMON,
    [MULTIBOOT2_TAG_APM] = sizeof(struct multiboot2_tag) + MULTIBOOT_APM_SIZE,
    [MULTIBOOT2_TAG_EFI32] = sizeof(struct multiboot2_tag) + 4,
    [MULTIBOOT2_TAG_EFI64] = sizeof(struct multiboot2_tag) + 8,
    [MULTIBOOT2_TAG_SMBIOS] = sizeof(struct multiboot2_tag) + 8,
    [MULTIBOOT2_TAG_ACPI_OLD] = sizeof(struct multiboot2_tag) + RSDP_SIZE_1,
    [MULTIBOOT2_TAG_ACPI_NEW] = sizeof(struct multiboot2_tag) + RSDP_SIZE,
    [MULTIBOOT2_TAG_NETWORK] = sizeof(struct multiboot2_tag),
    [MULTIBOOT2_TAG_EFI_MMAP] = sizeof(struct multiboot2_efi_mmap),
    [MULTIBOOT2_TAG_EFI32_IH] = sizeof(struct multiboot2_tag) + 4,
    [MULTIBOOT2_TAG_EFI64_IH] = sizeof(struct multiboot2_tag) + 8,
};

/* One tag, of which `size` bytes are there. */
static const char *read_tag(struct boot_info *info, u32 type, const u8 *tag, u32 size)
{
    const u8 *body = tag + sizeof(struct multiboot2_tag);
    u32 body_size = size - sizeof(struct multiboot2_tag);

    switch (type) {
    case MULTIBOOT2_TAG_CMDLINE:
        return copy_text(info, &info->command_line, (const char *)body, body_size);
    case MULTIBOOT2_TAG_BOOT_LOADER_NAME:
        return copy_text(info, &info->loader, (const char *)body, body_size);
    case MULTIBOOT2_TAG_MODULE: return read_module_2(info, tag, size);
    case MULTIBOOT2_TAG_MMAP: return read_map_2(info, tag, size);
    case MULTIBOOT2_TAG_EFI_BS: info->boot_services = true; return NULL;
    default: break;
    }
    if (type >= MULTIBOOT2_TAG_TYPES || !handed_on[type])
        return NULL;
    if (size < handed_on[type])
        return "the boot loader's information has a tag that is too short";
    return copy_tag(info, type, body, body_size);
}

static const char *read_2(struct boot_info *info, u64 address)
{
    struct multiboot2_info header;
    struct multiboot2_tag tag;
    const char *error = NULL, *problem;
    const u8 *base = physical(address);
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
    return info->map.count || info->boot_services ? NULL : "the boot loader gave no memory map";
}

static void copy_body(const struct boot_info *info, u32 type, void *to, size_t room)
{
    const struct multiboot2_tag *tag = info->tag[type];
    if (tag)
        memcpy(to, tag + 1, tag->size - sizeof(*tag) < room ? tag->size - sizeof(*tag) : room);
}

const char *boot_info_read(struct boot_info *info, u32 magic, u64 address)
{
    const char *error;
    memset(info, 0, sizeof(*info));
    info->command_line = info->loader = "";
    info->multiboot2 = magic == MULTIBOOT2_BOOTLOADER_MAGIC;
    if (magic == MULTIBOOT_BOOTLOADER_MAGIC)
        error = boot_info_read_1(info, address);
    else if (info->multiboot2)
        error = read_2(info, address);
    else
        error = "not started by a multiboot loader (GRUB's multiboot or multiboot2, qemu -kernel)";
    info->efi = info->tag[MULTIBOOT2_TAG_EFI32] || info->tag[MULTIBOOT2_TAG_EFI64] ||
                info->tag[MULTIBOOT2_TAG_EFI_MMAP];
    copy_body(info, MULTIBOOT2_TAG_FRAMEBUFFER, &info->framebuffer.addr, FRAMEBUFFER_COMMON + 6);
    copy_body(info, MULTIBOOT2_TAG_ACPI_OLD, info->rsdp, RSDP_SIZE_1);
    copy_body(info, MULTIBOOT2_TAG_ACPI_NEW, info->rsdp, RSDP_SIZE); /* it says more */
    if (!error)
        drop_file_names(info);
    return error;
}

void boot_info_add_rsdp(struct boot_info *info)
{
    enum { REVISION = 15 };
    if (info->rsdp[0])
        (void)copy_tag(info, MULTIBOOT2_TAG_ACPI_OLD, info->rsdp, RSDP_SIZE_1);
    if (info->rsdp[REVISION] >= 2)
        (void)copy_tag(info, MULTIBOOT2_TAG_ACPI_NEW, info->rsdp, RSDP_SIZE);
}
