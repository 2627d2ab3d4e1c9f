/* Kernels that follow the Multiboot Specification, version 1, and what its header shares with that
 * of version 2. */
#include "load/loader.h"

#include "lib/string.h"

#define REQUIRED_FLAGS 0xFFFFu /* a loader that does not know one of these must refuse */
#define KNOWN_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE)
#define HEADER_SIZE 12 /* without what flags ask for */

static bool find_header(const u8 *file, u64 size, struct multiboot_header *header, u64 *offset)
{
    u64 end = size < MULTIBOOT_SEARCH ? size : MULTIBOOT_SEARCH;
    for (*offset = 0; *offset + HEADER_SIZE <= end; *offset += 4) {
        u64 rest = size - *offset;
        memset(header, 0, sizeof(*header));
        memcpy(header, file + *offset, rest < sizeof(*header) ? rest : sizeof(*header));
        if (header->magic == MULTIBOOT_HEADER_MAGIC &&
            header->magic + header->flags + header->checksum == 0)
            return true;
    }
    return false;
}

static bool recognized(const u8 *file, u64 size)
{
    struct multiboot_header header = {0};
    u64 offset = 0;
    return find_header(file, size, &header, &offset);
}

/* Version 2, 'The address tag of Multiboot2 header': a load_addr of -1 is the file's beginning.
 * Where GRUB goes further, so does this: what load_addr leaves out may be the header itself, and
 * what the file lacks at its end is zeroes. */
bool address_fields_read(struct loader *loader, u64 header_offset,
                         const struct address_fields *fields)
{
    struct image *image = &loader->image;
    u64 load = fields->load_addr == ~0u ? fields->header_addr - header_offset : fields->load_addr;
    u64 offset = header_offset + load - fields->header_addr;
    if (load > ~0u || offset > image->size)
        return refuse(loader,
                      "the multiboot header's load_addr 0x%x does not suit its own "
                      "address 0x%x",
                      fields->load_addr, fields->header_addr);
    u64 in_file = image->size - offset;
    u64 end = fields->load_end_addr ? fields->load_end_addr : load + in_file;
    u64 bss_end = fields->bss_end_addr ? fields->bss_end_addr : end;
    if (end < load || bss_end < end)
        return refuse(loader,
                      "the multiboot header's addresses are not in order: 0x%lx, 0x%lx, 0x%lx",
                      load, end, bss_end);
    if (end - load > in_file)
        say("the guest's kernel file is cut short or ends with memory: 0x%lx of 0x%lx bytes are "
            "there, the rest is zeroed",
            in_file, end - load);
    u64 size = end - load < in_file ? end - load : in_file;
    image->count = 1;
    image->segment[0] = (struct segment){load, bss_end - load, offset, size};
    image->entry = fields->entry_addr;
    return true;
}

void ask_for_video(const struct loader *loader, u32 width, u32 height, u32 depth)
{
    const struct multiboot2_framebuffer *has = &loader->info->framebuffer;
    bool text = has->type != MULTIBOOT_FRAMEBUFFER_RGB;
    if (text || (width && width != has->width) || (height && height != has->height) ||
        (depth && depth != has->bpp))
        say("the guest's header asks for a video mode (%ux%ux%u; 0: any), which cannot be had: it "
            "gets %s as Tally was started",
            width, height, depth, text ? "text" : "the frame buffer");
}

static bool read_header(struct loader *loader)
{
    struct image *image = &loader->image;
    struct multiboot_header header = {0};
    u64 offset = 0;
    find_header(image->file, image->size, &header, &offset);
    u32 unknown = header.flags & REQUIRED_FLAGS & ~KNOWN_FLAGS;
    if (unknown)
        return refuse(loader, "the multiboot header requires unknown features (flags 0x%x)",
                      unknown);
    if (header.flags & MULTIBOOT_VIDEO_MODE && header.mode_type > 1)
        return refuse(loader, "the multiboot header asks for unknown video modes (type %u)",
                      header.mode_type);
    if (header.flags & MULTIBOOT_VIDEO_MODE && header.mode_type == 0)
        ask_for_video(loader, header.width, header.height, header.depth);
    if (!(header.flags & MULTIBOOT_AOUT_KLUDGE))
        return elf_read(loader);
    struct address_fields fields = {header.header_addr, header.load_addr, header.load_end_addr,
                                    header.bss_end_addr, header.entry_addr};
    return address_fields_read(loader, offset, &fields);
}

const struct protocol multiboot_protocol = {"multiboot", recognized, read_header, modules_place,
                                            multiboot_tell};
