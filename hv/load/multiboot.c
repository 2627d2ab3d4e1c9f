/* Kernels that follow the Multiboot Specification, version 1, and what its header shares with that
 * of version 2. */
#include "load/loader.h"

#include "lib/string.h"

#define REQUIRED_FLAGS 0xFFFFu /* a loader that does not know one of these must refuse */
#define ARCHITECTURE_I386 0
#define KNOWN_FLAGS (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO | MULTIBOOT_VIDEO_MODE)

bool header_find(struct loader *loader, u32 magic)
{
    const struct image *image = &loader->image;
    bool second = magic == MULTIBOOT2_HEADER_MAGIC;
    u64 within = second ? MULTIBOOT2_SEARCH : MULTIBOOT_SEARCH, step = second ? 8 : 4;
    u64 end = image->size < within ? image->size : within, size = second ? 16 : 12;
    for (u64 offset = 0; offset + size <= end; offset += step) {
        u32 word[4] = {0};
        memcpy(word, image->file + offset, size);
        loader->header = offset;
        if (word[0] == magic && word[0] + word[1] + word[2] + word[3] == 0 &&
            (!second || word[1] == ARCHITECTURE_I386))
            return true;
    }
    return false;
}

static bool recognized(struct loader *loader)
{
    return header_find(loader, MULTIBOOT_HEADER_MAGIC);
}

/* Version 2, 'The address tag of Multiboot2 header': a load_addr of -1 is the file's beginning.
 * Where GRUB goes further, so does this: what load_addr leaves out may be the header itself, and
 * what the file lacks at its end is zeroes. */
bool addresses_read(struct loader *loader, const struct multiboot_addresses *fields)
{
    struct image *image = &loader->image;
    u64 load = fields->load_addr == ~0u ? fields->header_addr - loader->header : fields->load_addr;
    u64 offset = loader->header + load - fields->header_addr;
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
    image->segment[0] = (struct image_segment){load, bss_end - load, offset, size};
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
    const struct image *image = &loader->image;
    struct multiboot_header header = {0};
    u64 rest = image->size - loader->header;
    memcpy(&header, image->file + loader->header, rest < sizeof(header) ? rest : sizeof(header));
    u32 unknown = header.flags & REQUIRED_FLAGS & ~KNOWN_FLAGS;
    bool video = header.flags & MULTIBOOT_VIDEO_MODE;
    if (unknown)
        return refuse(loader, "the multiboot header requires unknown features (flags 0x%x)",
                      unknown);
    if (video && header.mode_type > 1)
        return refuse(loader, "the multiboot header asks for unknown video modes (type %u)",
                      header.mode_type);
    if (video && header.mode_type == 0)
        ask_for_video(loader, header.width, header.height, header.depth);
    return header.flags & MULTIBOOT_AOUT_KLUDGE ? addresses_read(loader, &header.addresses)
                                                : elf_read(loader);
}

const struct protocol multiboot_protocol = {recognized, read_header, modules_place, multiboot_tell};
