/* ELF files, 32 and 64 bits: the segments and the entry point, by physical address. */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

struct elf_header_start { /* the same in both classes */
    u8 magic[4], class, data, ident_version, padding[9];
    u16 type, machine;
    u32 version;
};

struct elf_header32 {
    struct elf_header_start start;
    u32 entry, phoff, shoff, flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header32) == 52, "ELF32 header");

struct elf_header64 {
    struct elf_header_start start;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header64) == 64, "ELF64 header");

struct elf_segment32 {
    u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf_segment32) == 32, "ELF32 program header");

struct elf_segment64 {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment64) == 56, "ELF64 program header");

struct elf_section32 {
    u32 name, type, flags, addr, offset, size, link, info, addralign, entsize;
};
_Static_assert(sizeof(struct elf_section32) == 40, "ELF32 section header");

struct elf_section64 {
    u32 name, type;
    u64 flags, addr, offset, size;
    u32 link, info;
    u64 addralign, entsize;
};
_Static_assert(sizeof(struct elf_section64) == 64, "ELF64 section header");

enum {
    CLASS_32 = 1,
    CLASS_64 = 2,
    LITTLE_ENDIAN = 1,
    TYPE_EXEC = 2,
    TYPE_DYN = 3,
    MACHINE_386 = 3,
    MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1,
    SECTION_NOBITS = 8
};

/* What of either class matters. */
struct elf {
    u64 entry, segments, sections; /* the latter two: offsets in the file */
    u32 segment_count, segment_size, section_count, section_size, names;
    bool is_64;
};

bool elf_recognized(const u8 *file, u64 size)
{
    return size >= 4 && memcmp(file, "\177ELF", 4) == 0;
}

static void read_fields(const u8 *file, struct elf *elf)
{
    struct elf_header32 h32;
    struct elf_header64 h64;
    memcpy(&h32, file, sizeof(h32));
    memcpy(&h64, file, sizeof(h64));
    elf->is_64 = h64.start.class == CLASS_64;
#define FIELD(name) (elf->is_64 ? h64.name : h32.name)
    *elf = (struct elf){FIELD(entry),     FIELD(phoff),     FIELD(shoff),
                        FIELD(phnum),     FIELD(phentsize), FIELD(shnum),
                        FIELD(shentsize), FIELD(shstrndx),  elf->is_64};
#undef FIELD
}

static bool check_table(struct loader *loader, const char *what, u64 offset, u32 count, u32 size,
                        u32 least)
{
    u64 file_size = loader->image.size;
    if (count && size < least)
        return refuse(loader, "the ELF file has %s headers of %u bytes, too short", what, size);
    if (count && (offset > file_size || (u64)count * size > file_size - offset))
        return refuse(loader, "the ELF file is truncated: its %s headers lie beyond its end", what);
    return true;
}

static bool read_header(struct loader *loader, struct elf *elf)
{
    const struct image *image = &loader->image;
    struct elf_header_start start;
    if (!elf_recognized(image->file, image->size))
        return refuse(loader, "the kernel has a multiboot header without addresses and is not ELF");
    if (image->size < sizeof(struct elf_header64))
        return refuse(loader, "the ELF file is truncated: no whole header");
    memcpy(&start, image->file, sizeof(start));
    if (start.class != CLASS_32 && start.class != CLASS_64)
        return refuse(loader, "the ELF file has class %u, neither 32 nor 64 bits", start.class);
    if (start.data != LITTLE_ENDIAN)
        return refuse(loader, "the ELF file is not little-endian");
    if (start.type != TYPE_EXEC && start.type != TYPE_DYN)
        return refuse(loader, "the ELF file has type %u, it is no executable", start.type);
    if (start.machine != MACHINE_386 && start.machine != MACHINE_X86_64)
        return refuse(loader, "the ELF file is for machine %u, not for x86", start.machine);
    read_fields(image->file, elf);
    return check_table(loader, "program", elf->segments, elf->segment_count, elf->segment_size,
                       elf->is_64 ? sizeof(struct elf_segment64) : sizeof(struct elf_segment32)) &&
           check_table(loader, "section", elf->sections, elf->section_count, elf->section_size,
                       elf->is_64 ? sizeof(struct elf_section64) : sizeof(struct elf_section32));
}

static struct elf_segment64 program_header(const struct image *image, const struct elf *elf,
                                           u32 index)
{
    const u8 *from = image->file + elf->segments + (u64)index * elf->segment_size;
    struct elf_segment64 segment;
    if (elf->is_64) {
        memcpy(&segment, from, sizeof(segment));
    } else {
        struct elf_segment32 s;
        memcpy(&s, from, sizeof(s));
        segment = (struct elf_segment64){s.type,  s.flags,  s.offset, s.vaddr,
                                         s.paddr, s.filesz, s.memsz,  s.align};
    }
    return segment;
}

static bool is_in_file(const struct image *image, u64 offset, u64 size)
{
    return offset <= image->size && size <= image->size - offset;
}

/* Without bytes in the file its offset means nothing (linkers and strip leave any there). */
static bool add_segment(struct loader *loader, u32 index, const struct elf_segment64 *from)
{
    struct image *image = &loader->image;
    if (from->filesz > from->memsz)
        return refuse(loader, "ELF segment %u has more bytes in the file than in memory", index);
    if (from->filesz && !is_in_file(image, from->offset, from->filesz))
        return refuse(loader, "the ELF file is truncated: segment %u lies beyond its end", index);
    if (image->count == SEGMENTS_MAX)
        return refuse(loader, "the ELF file has more than %u segments to load", SEGMENTS_MAX);
    image->segment[image->count++] =
        (struct segment){from->paddr, from->memsz, from->filesz ? from->offset : 0, from->filesz};
    return true;
}

/* The entry point is a virtual address; it is translated by the first segment in which it lies, as
 * boot loaders do. Whether the result is in any segment is checked with the segments. */
bool elf_read(struct loader *loader)
{
    struct image *image = &loader->image;
    struct elf elf;
    bool translated = false;
    if (!read_header(loader, &elf))
        return false;
    image->entry = elf.entry;
    image->sections = (struct sections){elf.section_count, elf.section_size, elf.names,
                                        elf.is_64,         elf.sections,     0};
    for (u32 i = 0; i < elf.segment_count; i++) {
        struct elf_segment64 segment = program_header(image, &elf, i);
        if (segment.type != SEGMENT_LOAD || segment.memsz == 0)
            continue;
        if (!add_segment(loader, i, &segment))
            return false;
        if (!translated && elf.entry - segment.vaddr < segment.memsz) {
            image->entry = elf.entry - segment.vaddr + segment.paddr;
            translated = true;
        }
    }
    return image->count || refuse(loader, "the ELF file has no segment to load");
}

/* Sections that are not in memory with a segment: debuggers inside of kernels read them. */

struct part {
    u64 offset, size, align;
};

/* What of the section must be loaded; size 0: nothing. */
static struct part unloaded_part(const u8 *header, bool is_64)
{
    struct elf_section64 s;
    struct elf_section32 s32;
    memcpy(&s, header, is_64 ? sizeof(s) : sizeof(s32));
    if (!is_64) {
        memcpy(&s32, header, sizeof(s32));
        s.addr = s32.addr, s.offset = s32.offset, s.size = s32.size, s.addralign = s32.addralign;
    }
    bool usual = s.addralign && s.addralign <= PAGE_SIZE && !(s.addralign & (s.addralign - 1));
    bool wanted = s.addr == 0 && s.type != SECTION_NOBITS;
    return (struct part){s.offset, wanted ? s.size : 0, usual ? s.addralign : 1};
}

static void set_address(u8 *header, bool is_64, u64 address)
{
    if (is_64)
        memcpy(header + offsetof(struct elf_section64, addr), &address, sizeof(u64));
    else
        memcpy(header + offsetof(struct elf_section32, addr), &address, sizeof(u32));
}

bool elf_place_sections(struct loader *loader)
{
    struct image *image = &loader->image;
    struct sections *sections = &image->sections;
    if (!sections->count)
        return true;
    const u8 *headers = image->file + sections->offset;
    u64 headers_size = (u64)sections->count * sections->header_size, size = headers_size;
    for (u32 i = 0; i < sections->count; i++) {
        struct part part = unloaded_part(headers + i * sections->header_size, sections->is_64);
        if (part.size && !is_in_file(image, part.offset, part.size))
            return refuse(loader, "the ELF file is truncated: section %u lies beyond its end", i);
        size = align_up(size, part.align) + part.size;
    }
    sections->place = take_behind(loader, "the ELF file's sections", size);
    if (!sections->place)
        return false;

    u8 *to = physical(sections->place);
    u64 used = headers_size;
    memcpy(to, headers, headers_size);
    for (u32 i = 0; i < sections->count; i++, to += sections->header_size) {
        struct part part = unloaded_part(to, sections->is_64);
        if (!part.size)
            continue;
        used = align_up(used, part.align);
        memcpy(physical(sections->place + used), image->file + part.offset, part.size);
        set_address(to, sections->is_64, sections->place + used);
        used += part.size;
    }
    return true;
}
