/* ELF files, 32 and 64 bits: the segments and the entry point, by physical address. */
#include "load/loader.h"

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

enum {
    CLASS_32 = 1,
    CLASS_64 = 2,
    LITTLE_ENDIAN = 1,
    TYPE_EXEC = 2,
    MACHINE_386 = 3,
    MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1
};

/* What of either class matters. */
struct elf {
    u64 entry, table_offset;
    u32 entry_count, entry_size;
    bool is_64;
};

bool elf_recognized(const u8 *file, u64 size)
{
    return size >= 4 && memcmp(file, "\177ELF", 4) == 0;
}

static bool read_header(struct loader *loader, const struct image *image, struct elf *elf)
{
    struct elf_header_start start;
    struct elf_header32 h32;
    struct elf_header64 h64;
    if (image->size < sizeof(h64))
        return refuse(loader, "the ELF file is truncated: no whole header");
    memcpy(&start, image->file, sizeof(start));
    memcpy(&h32, image->file, sizeof(h32));
    memcpy(&h64, image->file, sizeof(h64));
    if (start.class != CLASS_32 && start.class != CLASS_64)
        return refuse(loader, "the ELF file has class %u, neither 32 nor 64 bits", start.class);
    if (start.data != LITTLE_ENDIAN)
        return refuse(loader, "the ELF file is not little-endian");
    if (start.type != TYPE_EXEC)
        return refuse(loader, "the ELF file has type %u, it is no executable", start.type);
    if (start.machine != MACHINE_386 && start.machine != MACHINE_X86_64)
        return refuse(loader, "the ELF file is for machine %u, not for x86", start.machine);
    elf->is_64 = start.class == CLASS_64;
    elf->entry = elf->is_64 ? h64.entry : h32.entry;
    elf->table_offset = elf->is_64 ? h64.phoff : h32.phoff;
    elf->entry_count = elf->is_64 ? h64.phnum : h32.phnum;
    elf->entry_size = elf->is_64 ? h64.phentsize : h32.phentsize;
    u32 least = elf->is_64 ? sizeof(struct elf_segment64) : sizeof(struct elf_segment32);
    if (elf->entry_size < least)
        return refuse(loader, "the ELF file has program headers of %u bytes, too short",
                      elf->entry_size);
    if (elf->table_offset > image->size ||
        (u64)elf->entry_count * elf->entry_size > image->size - elf->table_offset)
        return refuse(loader, "the ELF file is truncated: its program headers lie beyond its end");
    return true;
}

static struct elf_segment64 program_header(const struct image *image, const struct elf *elf,
                                           u32 index)
{
    const u8 *from = image->file + elf->table_offset + (u64)index * elf->entry_size;
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

static bool add_segment(struct loader *loader, struct image *image, u32 index,
                        const struct elf_segment64 *from)
{
    if (from->filesz > from->memsz)
        return refuse(loader, "ELF segment %u has more bytes in the file than in memory", index);
    if (from->offset > image->size || from->filesz > image->size - from->offset)
        return refuse(loader, "the ELF file is truncated: segment %u lies beyond its end", index);
    if (image->count == SEGMENTS_MAX)
        return refuse(loader, "the ELF file has more than %u segments to load", SEGMENTS_MAX);
    image->segment[image->count++] =
        (struct segment){from->paddr, from->memsz, from->offset, from->filesz};
    return true;
}

/* The entry point is a virtual address; it is translated by the segment in which it lies, as
 * boot loaders do. Whether the result is in any segment is checked with the segments. */
bool elf_read(struct loader *loader, struct image *image)
{
    struct elf elf;
    if (!read_header(loader, image, &elf))
        return false;
    image->entry = elf.entry;
    for (u32 i = 0; i < elf.entry_count; i++) {
        struct elf_segment64 segment = program_header(image, &elf, i);
        if (segment.type != SEGMENT_LOAD || segment.memsz == 0)
            continue;
        if (!add_segment(loader, image, i, &segment))
            return false;
        if (elf.entry >= segment.vaddr && elf.entry - segment.vaddr < segment.memsz)
            image->entry = elf.entry - segment.vaddr + segment.paddr;
    }
    return image->count || refuse(loader, "the ELF file has no segment to load");
}
