/* What the boot loader told, copied out of its structures at start. */
#ifndef TALLY_PLATFORM_BOOT_INFO_H
#define TALLY_PLATFORM_BOOT_INFO_H

#include "platform/memory_map.h"

#define MODULES_MAX 32
#define COMMAND_LINE_MAX 2048  /* of each, with the NUL */
#define COMMAND_LINES_MAX 8192 /* of all together */

struct module {
    u64 start, size;          /* physical */
    const char *command_line; /* without the file's name, as GRUB gives it */
};

struct boot_info {
    struct memory_map map;
    unsigned module_count;
    struct module module[MODULES_MAX];
    const char *command_line; /* Tally's own; never NULL, as are the modules' */
    char loader[64];
    u8 rsdp[36]; /* copy of the RSDP from multiboot 2; all zero where there is none */
    bool efi;    /* booted by UEFI: no BIOS, no VGA text mode */
    struct multiboot2_framebuffer framebuffer; /* addr 0: none told */
    char text[COMMAND_LINES_MAX];              /* what the command lines point into */
    size_t text_used;
};

/*
 * Reads multiboot 1 or 2 information. `magic` is EAX at entry, `physical` the structure's address;
 * `at` turns a physical address into a pointer (identity in tests).
 * QEMU's `-kernel` begins each command line with the file's name, GRUB does not: it is dropped.
 * Returns NULL, or one line that says what is wrong.
 */
const char *boot_info_read(struct boot_info *info, u32 magic, u64 physical,
                           const void *(*at)(u64 physical));

#endif
