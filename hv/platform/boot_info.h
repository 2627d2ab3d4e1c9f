/* What the boot loader told, copied out of its structures at start. */
#ifndef TALLY_PLATFORM_BOOT_INFO_H
#define TALLY_PLATFORM_BOOT_INFO_H

#include "platform/memory_map.h"

#define MODULES_MAX 256
#define BOOT_INFO_POOL (64 * KIB)
#define RSDP_SIZE 36   /* ACPI 2.0 and later */
#define RSDP_SIZE_1 20 /* ACPI 1.0 */

struct module {
    u64 start, size;          /* physical */
    const char *command_line; /* without the file's name, as GRUB gives it */
};

struct boot_info {
    struct memory_map map;
    unsigned module_count;
    struct module module[MODULES_MAX];
    const char *command_line, *loader; /* Tally's own, the loader's name; none is ever NULL */
    bool multiboot2;                   /* Tally was started by version 2 of the protocol */
    bool efi;           /* by UEFI: no BIOS, no VGA text mode; known by version 2 only */
    bool boot_services; /* UEFI's go on: no memory map is told */
    struct multiboot2_framebuffer framebuffer; /* addr 0: none told */
    u8 rsdp[RSDP_SIZE];                        /* ACPI's root pointer; all zero: none told */
    /* What is handed on to the guest, by type of tag, in the form of version 2, NULL: not told. */
    const struct multiboot2_tag *tag[MULTIBOOT2_TAG_TYPES];
    size_t pool_used;
    u8 pool[BOOT_INFO_POOL] __attribute__((aligned(8))); /* what the pointers above point to */
};

/*
 * Reads multiboot 1 or 2 information. `magic` is EAX at entry, `address` the structure's.
 * Loaders other than GRUB 2 begin each command line with the file's name: it is dropped.
 * Returns NULL, or one line that says what is wrong.
 */
const char *boot_info_read(struct boot_info *info, u32 magic, u64 address);

/* Whether the loader is GRUB 2, by the name it gives itself. */
bool boot_info_is_grub(const struct boot_info *info);

/* Tells the guest of info->rsdp, which Tally found itself, as if the loader had. */
void boot_info_add_rsdp(struct boot_info *info);

/* ---- For the readers of both versions and of UEFI. All return NULL or what is wrong. ---- */

#define MAP_FULL "the memory map has more than 512 ranges"

/* Copies a string of at most `limit` bytes (its NUL may be missing). */
const char *copy_text(struct boot_info *info, const char **to, const char *from, size_t limit);

/* Copies the body of a tag that is handed on. */
const char *copy_tag(struct boot_info *info, u32 type, const void *body, size_t size);

/* `command_line` may be NULL. */
const char *boot_info_add_module(struct boot_info *info, u32 start, u32 end,
                                 const char *command_line, size_t limit);

const char *boot_info_read_1(struct boot_info *info, u64 address);

#endif
