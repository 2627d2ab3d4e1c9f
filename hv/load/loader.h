/* What the formats of guest kernels share: an image's segments, and finding room for everything. */
#ifndef TALLY_LOAD_LOADER_H
#define TALLY_LOAD_LOADER_H

#include "lib/print.h"
#include "load/load.h"

#define SEGMENTS_MAX 32
#define USED_MAX (3 + SEGMENTS_MAX + 2 * MODULES_MAX) /* Tally, copied kernel file, block */
#define BLOCK_SIZE (16 * KIB)                         /* GDT and boot information of any protocol */
#define LOWEST_ADDRESS PAGE_SIZE /* below lie real mode's interrupt table and the BIOS data */

/* A file and where its parts go. File offsets are within the file: whoever fills it has checked. */
struct image {
    const u8 *file;
    u64 size;
    unsigned count;
    struct segment {
        u64 address, memory_size; /* physical; what the file does not fill is zeroed */
        u64 offset, file_size;
    } segment[SEGMENTS_MAX];
    u64 entry; /* physical */
};

struct loader {
    const struct boot_info *info;
    struct memory_map *map; /* the guest's */
    struct memory_range tally;
    struct memory_range used[USED_MAX]; /* not to be overwritten */
    unsigned used_count;
    unsigned guest_modules;      /* how many modules the guest has: all but its kernel */
    u64 module[MODULES_MAX - 1]; /* where they are now */
    u64 block;                   /* where the boot information goes */
    char *error;
    size_t error_size;
};

/* Writes the error line; false. */
#define refuse(loader, ...)                                                                        \
    (format_string((loader)->error, (loader)->error_size, "guest: " __VA_ARGS__), false)

/* The highest room of `size` bytes in whole pages that nothing uses, not below `floor`, below
 * `limit`; from now on in use. 0: there is none, and the error line says so. */
u64 take_highest(struct loader *loader, const char *what, u64 size, u64 floor, u64 limit);

/* The lowest behind the image, or below it if there is no room behind, for 32-bit addresses. */
u64 take_behind(struct loader *loader, const char *what, u64 size, const struct image *image);

/* Checks that the image can go where it wants, and sees to it that its file does not lie there. */
bool image_place(struct loader *loader, struct image *image);

/* Copies the segments. From here on the file may be overwritten. */
void image_write(const struct image *image);

/* First byte after the highest segment. */
u64 segments_end(const struct image *image);

/* Module i of the guest's own, as the boot loader gave it. */
const struct module *guest_module(const struct loader *loader, unsigned i);

/* Whether a module can stay where the boot loader put it. */
bool module_can_stay(const struct loader *loader, const struct module *module,
                     const struct image *image);

/* Leaves each module where it is, or moves it to whole pages of its own behind the image. */
bool modules_place(struct loader *loader, const struct image *image);

/* Takes room for the boot information, writes the GDT to its beginning and fills the start state
 * for an entry at `entry`. */
bool block_place(struct loader *loader, const struct image *image, struct guest_start *start);

/* A zeroed piece of the block behind what was taken; *used counts, from GDT_SIZE on. */
#define GDT_SIZE 32
void *block_take(const struct loader *loader, u64 *used, u64 size, u32 *address);

/* The formats. `recognized` functions look at the first bytes of the file only. */
bool elf_recognized(const u8 *file, u64 size);
bool elf_read(struct loader *loader, struct image *image);
bool multiboot_recognized(const u8 *file, u64 size);
bool multiboot_load(struct loader *loader, struct image *image, struct guest_start *start);
bool multiboot2_recognized(const u8 *file, u64 size);
bool multiboot2_load(struct loader *loader, struct image *image, struct guest_start *start);
bool linux_recognized(const u8 *file, u64 size);
bool linux_load(struct loader *loader, struct image *image, struct guest_start *start);

/* The address fields of both multiboot headers: one segment that begins `before` bytes ahead of the
 * header, which lies at `header_offset` in the file. */
struct address_fields {
    u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};
bool address_fields_read(struct loader *loader, struct image *image, u64 header_offset,
                         const struct address_fields *fields);

/* KiB of RAM from 0 and from 1 MiB on, as both multiboot protocols tell it. */
void memory_sizes(const struct memory_map *map, u32 *lower, u32 *upper);

#endif
