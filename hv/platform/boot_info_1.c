/* Multiboot 1 information, turned into the form of version 2 where that has it, too. */
#include "platform/boot_info.h"

#include "host/paging.h"
#include "lib/string.h"

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

static const char *read_memory_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    if (mbi->flags & MULTIBOOT_INFO_MEM_MAP)
        return read_map_1(info, physical(mbi->mmap_addr), mbi->mmap_length);
    if (!(mbi->flags & MULTIBOOT_INFO_MEMORY))
        return "the boot loader gave no memory map";
    bool fits = memory_map_add(&info->map, 0, mbi->mem_lower * KIB, MEMORY_RAM) &&
                memory_map_add(&info->map, MIB, mbi->mem_upper * KIB, MEMORY_RAM);
    return fits ? NULL : MAP_FULL;
}

static const char *read_modules_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    const char *error = NULL;
    for (u32 i = 0; i < mbi->mods_count && !error; i++) {
        struct multiboot_module module;
        memcpy(&module, physical(mbi->mods_addr + (u64)i * sizeof(module)), sizeof(module));
        error =
            boot_info_add_module(info, module.mod_start, module.mod_end,
                                 module.cmdline ? physical(module.cmdline) : NULL, BOOT_INFO_POOL);
    }
    return error;
}

/* What version 2 has, too, in the same bytes or nearly so. */

static u32 wider_part(u32 byte)
{
    return byte == 0xFF ? ~0u : byte;
}

static const char *read_boot_device_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    u32 device = mbi->boot_device;
    u32 body[] = {device >> 24, wider_part(device >> 16 & 0xFF), wider_part(device >> 8 & 0xFF)};
    return copy_tag(info, MULTIBOOT2_TAG_BOOTDEV, body, sizeof(body));
}

static const char *read_framebuffer_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    size_t colours = mbi->framebuffer_type == MULTIBOOT_FRAMEBUFFER_RGB ? 6 : 0;
    return copy_tag(info, MULTIBOOT2_TAG_FRAMEBUFFER, &mbi->framebuffer_addr,
                    FRAMEBUFFER_COMMON + colours);
}

static const char *read_vbe_1(struct boot_info *info, const struct multiboot_info *mbi)
{
    struct multiboot2_vbe vbe = {
        .mode = mbi->vbe_mode,
        .interface_seg = mbi->vbe_interface_seg,
        .interface_off = mbi->vbe_interface_off,
        .interface_len = mbi->vbe_interface_len,
    };
    memcpy(vbe.control_info, physical(mbi->vbe_control_info), sizeof(vbe.control_info));
    memcpy(vbe.mode_info, physical(mbi->vbe_mode_info), sizeof(vbe.mode_info));
    return copy_tag(info, MULTIBOOT2_TAG_VBE, &vbe.mode, sizeof(vbe) - sizeof(vbe.tag));
}

const char *boot_info_read_1(struct boot_info *info, u64 address)
{
    struct multiboot_info mbi;
    memcpy(&mbi, physical(address), sizeof(mbi));
    const char *error = NULL;
#define READ(flag, reader)                                                                         \
    if (!error && mbi.flags & MULTIBOOT_INFO_##flag)                                               \
        error = reader;
    READ(BOOT_LOADER_NAME,
         copy_text(info, &info->loader, physical(mbi.boot_loader_name), BOOT_INFO_POOL))
    READ(FRAMEBUFFER, read_framebuffer_1(info, &mbi))
    error = error ? error : read_memory_1(info, &mbi);
    READ(CMDLINE, copy_text(info, &info->command_line, physical(mbi.cmdline), BOOT_INFO_POOL))
    READ(MODS, read_modules_1(info, &mbi))
    READ(BOOTDEV, read_boot_device_1(info, &mbi))
    READ(VBE_INFO, read_vbe_1(info, &mbi))
    READ(APM_TABLE, copy_tag(info, MULTIBOOT2_TAG_APM, physical(mbi.apm_table), MULTIBOOT_APM_SIZE))
#undef READ
    return error;
}
