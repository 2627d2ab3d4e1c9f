/* What the formats of guest kernels share: an image's segments, and finding room for everything. */
#ifndef TALLY_LOAD_LOADER_H
#define TALLY_LOAD_LOADER_H

#include "lib/print.h"
#include "load/load.h"

#define SEGMENTS_MAX 32
/* Tally, a copy of the kernel's file, its sections, the BIOS's page, two of Linux, the information
 */
#define USED_MAX (7 + SEGMENTS_MAX + 2 * MODULES_MAX)

/* A file and where its parts go. File offsets are within the file: whoever fills it has checked. */
struct image {
    const u8 *file;
    u64 size;
    unsigned count;
    struct image_segment {
        u64 address, memory_size; /* physical; what the file does not fill is zeroed */
        u64 offset, file_size;
    } segment[SEGMENTS_MAX];
    u64 entry; /* physical */
    bool is_64;
    struct table {  /* of headers in an ELF file */
        u64 offset; /* in the file */
        u32 count, size;
    } sections;         /* count 0: none */
    u32 section_names;  /* as in the ELF header */
    u64 sections_place; /* of their headers' copy in the guest's memory */
};

struct loader {
    const struct boot_info *info;
    struct memory_map *map; /* the guest's */
    struct memory_range tally;
    struct image image;
    u64 header;                         /* multiboot's: its offset in the file */
    struct memory_range used[USED_MAX]; /* not to be overwritten */
    unsigned used_count;
    unsigned guest_modules;      /* how many modules the guest has: all but its kernel */
    u64 module[MODULES_MAX - 1]; /* where they are now */
    const char *problem;
};

/* What the guest is told, in its memory: the tags of Multiboot 2, into which the fields of version
 * 1 and of Linux lead. */
struct writer {
    const struct loader *loader;
    u32 next;                      /* where the next byte goes */
    u32 list;                      /* the tags, with the header of version 2 */
    u32 tag[MULTIBOOT2_TAG_TYPES]; /* the first of each type; 0: there is none */
};

/* Appends bytes, or begins with them on a boundary of 8 bytes; returns their address. */
u32 put(struct writer *writer, const void *bytes, size_t size);
u32 put_aligned(struct writer *writer, const void *bytes, size_t size);

void put_tags(struct writer *writer);

/* The address of what follows a tag's header; 0: there is no such tag. */
static inline u32 tag_body(const struct writer *writer, u32 type)
{
    return writer->tag[type] ? writer->tag[type] + sizeof(struct multiboot2_tag) : 0;
}

/* A boot protocol: what differs between them, in this order. */
struct protocol {
    bool (*recognized)(struct loader *loader); /* by the file's first bytes */
    bool (*read)(struct loader *loader);       /* the file: fills loader->image */
    bool (*place_modules)(struct loader *loader);
    /* Puts the protocol's own form of what the tags say; sets the registers. */
    void (*tell)(struct writer *writer, struct guest_start *start);
};
extern const struct protocol multiboot_protocol, multiboot2_protocol, linux_protocol;

/* Writes what the protocol tells, and fills the start state. */
bool information_write(struct loader *loader, const struct protocol *protocol,
                       struct guest_start *start);

/* Notes the line that says what is wrong; false. */
#define refuse(loader, ...) ((loader)->problem = what_is_wrong(__VA_ARGS__), false)

/* The lowest or highest room of `size` bytes in whole pages that nothing uses, not below `floor`,
 * below `limit`; from now on in use. 0: there is none, and loader->problem says so. */
u64 take_room(struct loader *loader, const char *what, enum memory_end end, u64 size, u64 floor,
              u64 limit);

/* The lowest after the image, or below it if there is no room, for 32-bit addresses. */
u64 take_behind(struct loader *loader, const char *what, u64 size);

/* The image's lowest address, and the first byte after its highest segment. */
u64 kernel_base(const struct image *image);
u64 kernel_end(const struct image *image);

/* Module i of the guest's own, as the boot loader gave it. */
const struct module *guest_module(const struct loader *loader, unsigned i);

/* Whether a module can stay where the boot loader put it. */
bool module_can_stay(const struct loader *loader, const struct module *module);

/* Leaves each module where it is, or moves it to whole pages of its own after the image. */
bool modules_place(struct loader *loader);

/* ELF files. */
bool elf_recognized(const struct image *image);
bool elf_read(struct loader *loader);
/* Puts what no segment loads (symbols, strings) after the image, with a copy of the sections'
 * headers that tells where. */
bool elf_place_sections(struct loader *loader);

/* Both versions of multiboot: their header, by its first word, becomes loader->header; what it asks
 * for is checked in one way. */
bool header_find(struct loader *loader, u32 magic);
bool addresses_read(struct loader *loader, const struct multiboot_addresses *addresses);
void ask_for_video(const struct loader *loader, u32 width, u32 height, u32 depth);
void multiboot_tell(struct writer *writer, struct guest_start *start);
#define MULTIBOOT_START_ESP 0x7FF00 /* GRUB's: some kernels use it before they set their own */

/* Takes the page out of the guest's map, at the top of what is not in use of low memory: the BIOS
 * data area's size of it, which INT 12h tells, goes down with it. Returns its address; 0: there is
 * no BIOS that could be asked, or no room for the page. */
u64 bios_memory_reserve(const struct boot_info *info, struct memory_map *guest_map,
                        const struct memory_range *used, unsigned used_count);

/* Fills the page with the code and the answers and points the vector at it, unless there is no page
 * or the guest was loaded over the vectors. */
void bios_memory_hook(u64 page, const struct memory_map *guest_map);

#endif
