/* What the boot loader told, copied out of its structures at start. */
#ifndef TALLY_PLATFORM_BOOT_INFO_H
#define TALLY_PLATFORM_BOOT_INFO_H

#include "platform/memory_map.h"

#define MODULES_MAX 32
#define COMMAND_LINE_MAX 2048

struct module {
    u64 start, size; /* physical */
    char command_line[COMMAND_LINE_MAX]; /* as the boot loader gave it */
};

struct boot_info {
    struct memory_map map;
    unsigned module_count;
    struct module module[MODULES_MAX];
    char command_line[COMMAND_LINE_MAX];
    char loader[64];
    u8 rsdp[36]; /* copy of the RSDP from multiboot 2; all zero where there is none */
    bool efi;    /* booted by UEFI: no BIOS, no VGA text mode */
    struct multiboot2_framebuffer framebuffer; /* addr 0: none told */
};

/*
 * Reads multiboot 1 or 2 information. `magic` is EAX at entry, `physical` the structure's address;
 * `at` turns a physical address into a pointer (identity in tests).
 * Returns NULL, or one line that says what is wrong.
 */
const char *boot_info_read(struct boot_info *info, u32 magic, u64 physical,
                           const void *(*at)(u64 physical));

#endif
