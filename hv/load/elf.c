/* ELF files, 32 and 64 bits: the segments and the entry point, by physical address. */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

/* Where a field stands in files of 32 and of 64 bits, and how many bytes it has there. */
struct field {
    u8 at[2], bytes[2];
};
static const struct field E_CLASS = {{4, 4}, {1, 1}}, E_DATA = {{5, 5}, {1, 1}},
                          E_TYPE = {{16, 16}, {2, 2}}, E_MACHINE = {{18, 18}, {2, 2}},
                          E_ENTRY = {{24, 24}, {4, 8}}, E_PHOFF = {{28, 32}, {4, 8}},
                          E_SHOFF = {{32, 40}, {4, 8}}, E_PHENTSIZE = {{42, 54}, {2, 2}},
                          E_PHNUM = {{44, 56}, {2, 2}}, E_SHENTSIZE = {{46, 58}, {2, 2}},
                          E_SHNUM = {{48, 60}, {2, 2}}, E_SHSTRNDX = {{50, 62}, {2, 2}},
                          P_TYPE = {{0, 0}, {4, 4}}, P_OFFSET = {{4, 8}, {4, 8}},
                          P_VADDR = {{8, 16}, {4, 8}}, P_PADDR = {{12, 24}, {4, 8}},
                          P_FILESZ = {{16, 32}, {4, 8}}, P_MEMSZ = {{20, 40}, {4, 8}},
                          SH_TYPE = {{4, 4}, {4, 4}}, SH_ADDR = {{12, 16}, {4, 8}},
                          SH_OFFSET = {{16, 24}, {4, 8}}, SH_SIZE = {{20, 32}, {4, 8}},
                          SH_ADDRALIGN = {{32, 48}, {4, 8}};

enum { CLASS_32 = 1, CLASS_64 = 2, LITTLE_ENDIAN = 1 };
enum { TYPE_EXEC = 2, TYPE_DYN = 3, MACHINE_386 = 3, MACHINE_X86_64 = 62 };
enum { SEGMENT_LOAD = 1, SECTION_NOBITS = 8 };

/* Bytes of the headers, by class; no file with segments is shorter than the first of 64 bits. */
static const u32 segment_header[] = {32, 56}, section_header[] = {40, 64};
#define HEADER_SIZE 64

static u64 get(const struct image *image, const u8 *header, struct field field)
{
    u64 value = 0;
    memcpy(&value, header + field.at[image->is_64], field.bytes[image->is_64]);
    return value;
}

bool elf_recognized(const struct image *image)
{
    return image->size >= 4 && memcmp(image->file, "\177ELF", 4) == 0;
}

static bool is_in_file(const struct image *image, u64 offset, u64 size)
{
    return offset <= image->size && size <= image->size - offset;
}

static bool check_table(struct loader *loader, const char *what, const struct table *table,
                        u32 least)
{
    if (table->count && table->size < least)
        return refuse(loader, "the ELF file has %s headers of %u bytes, too short", what,
                      table->size);
    if (table->count && !is_in_file(&loader->image, table->offset, (u64)table->count * table->size))
        return refuse(loader, "the ELF file is truncated: its %s headers lie beyond its end", what);
    return true;
}

static bool check_header(struct loader *loader)
{
    struct image *image = &loader->image;
    const u8 *file = image->file;
    if (!elf_recognized(image))
        return refuse(loader, "the kernel has a multiboot header without addresses and is not ELF");
    if (image->size < HEADER_SIZE)
        return refuse(loader, "the ELF file is truncated: no whole header");
    u32 class = (u32)get(image, file, E_CLASS), type = (u32)get(image, file, E_TYPE),
        machine = (u32)get(image, file, E_MACHINE);
    if (class != CLASS_32 && class != CLASS_64)
        return refuse(loader, "the ELF file has class %u, neither 32 nor 64 bits", class);
    if (get(image, file, E_DATA) != LITTLE_ENDIAN)
        return refuse(loader, "the ELF file is not little-endian");
    if (type != TYPE_EXEC && type != TYPE_DYN)
        return refuse(loader, "the ELF file has type %u, it is no executable", type);
    if (machine != MACHINE_386 && machine != MACHINE_X86_64)
        return refuse(loader, "the ELF file is for machine %u, not for x86", machine);
    image->is_64 = class == CLASS_64;
    return true;
}

/* Without bytes in the file its offset means nothing (linkers and strip leave any there). */
static bool add_segment(struct loader *loader, u32 index, const struct image_segment *segment)
{
    struct image *image = &loader->image;
    if (segment->file_size > segment->memory_size)
        return refuse(loader, "ELF segment %u has more bytes in the file than in memory", index);
    if (segment->file_size && !is_in_file(image, segment->offset, segment->file_size))
        return refuse(loader, "the ELF file is truncated: segment %u lies beyond its end", index);
    if (image->count == SEGMENTS_MAX)
        return refuse(loader, "the ELF file has more than %u segments to load", SEGMENTS_MAX);
    image->segment[image->count++] = *segment;
    if (!segment->file_size)
        image->segment[image->count - 1].offset = 0;
    return true;
}

/* The entry point is a virtual address; it is translated by the first segment in which it lies, as
 * boot loaders do. Whether the result is in any segment is checked with the segments. */
static bool read_segments(struct loader *loader, const struct table *headers)
{
    struct image *image = &loader->image;
    u64 entry = image->entry;
    bool translated = false;
    for (u32 i = 0; i < headers->count; i++) {
        const u8 *header = image->file + headers->offset + (u64)i * headers->size;
        struct image_segment segment = {get(image, header, P_PADDR), get(image, header, P_MEMSZ),
                                        get(image, header, P_OFFSET), get(image, header, P_FILESZ)};
        u64 distance = entry - get(image, header, P_VADDR);
        if (get(image, header, P_TYPE) != SEGMENT_LOAD)
            continue;
        if (!add_segment(loader, i, &segment))
            return false;
        if (!translated && distance < segment.memory_size) {
            image->entry = distance + segment.address;
            translated = true;
        }
    }
    return image->count || refuse(loader, "the ELF file has no segment to load");
}

bool elf_read(struct loader *loader)
{
    struct image *image = &loader->image;
    const u8 *file = image->file;
    if (!check_header(loader))
        return false;
    struct table segments = {get(image, file, E_PHOFF), (u32)get(image, file, E_PHNUM),
                             (u32)get(image, file, E_PHENTSIZE)};
    image->sections = (struct table){get(image, file, E_SHOFF), (u32)get(image, file, E_SHNUM),
                                     (u32)get(image, file, E_SHENTSIZE)};
    image->section_names = (u32)get(image, file, E_SHSTRNDX);
    image->entry = get(image, file, E_ENTRY);
    return check_table(loader, "program", &segments, segment_header[image->is_64]) &&
           check_table(loader, "section", &image->sections, section_header[image->is_64]) &&
           read_segments(loader, &segments);
}

/* Sections that are not in memory with a segment: debuggers inside of kernels read them. How many
 * bytes of the section must be loaded; *used goes up to where they may begin. */
static u64 unloaded_size(const struct image *image, const u8 *header, u64 *used)
{
    u64 align = get(image, header, SH_ADDRALIGN), size = get(image, header, SH_SIZE);
    if (get(image, header, SH_ADDR) || get(image, header, SH_TYPE) == SECTION_NOBITS || !size)
        return 0;
    if (align && align <= PAGE_SIZE && !(align & (align - 1)))
        *used = align_up(*used, align);
    return size;
}

bool elf_place_sections(struct loader *loader)
{
    struct image *image = &loader->image;
    const struct table *table = &image->sections;
    u64 headers_size = (u64)table->count * table->size, size = headers_size, used = headers_size;
    if (!table->count)
        return true;
    const u8 *from = image->file + table->offset;
    for (u32 i = 0; i < table->count; i++, from += table->size) {
        u64 bytes = unloaded_size(image, from, &size);
        if (bytes && !is_in_file(image, get(image, from, SH_OFFSET), bytes))
            return refuse(loader, "the ELF file is truncated: section %u lies beyond its end", i);
        size += bytes;
    }
    image->sections_place = take_behind(loader, "the ELF file's sections", size);
    if (!image->sections_place)
        return false;
    u8 *to = memcpy(physical(image->sections_place), image->file + table->offset, headers_size);
    for (u32 i = 0; i < table->count; i++, to += table->size) {
        u64 bytes = unloaded_size(image, to, &used), place = image->sections_place + used;
        if (!bytes)
            continue;
        memcpy(physical(place), image->file + get(image, to, SH_OFFSET), bytes);
        memcpy(to + SH_ADDR.at[image->is_64], &place, SH_ADDR.bytes[image->is_64]);
        used += bytes;
    }
    return true;
}
