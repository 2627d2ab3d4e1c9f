/* Kernels that follow the Multiboot 2 Specification: the tags of their header. */
#include "load/loader.h"

#include "lib/string.h"

static bool recognized(struct loader *loader)
{
    return header_find(loader, MULTIBOOT2_HEADER_MAGIC);
}

/* The header's tags: the words that each begins with, and whether it is there. */
enum { TYPES = MULTIBOOT2_HEADER_TAG_RELOCATABLE + 1, TAG_WORDS = 4 };
struct wishes {
    bool has[TYPES];
    u32 word[TYPES][TAG_WORDS];
};

/* As GRUB: a request for what this machine does not have is no error, but for SMBIOS, which GRUB
 * never has. */
static bool check_requests(struct loader *loader, const u8 *requests, u32 size)
{
    for (u32 offset = 0; offset + sizeof(u32) <= size; offset += sizeof(u32)) {
        u32 tag;
        memcpy(&tag, requests + offset, sizeof(tag));
        if (tag >= MULTIBOOT2_TAG_TYPES)
            return refuse(loader, "the multiboot 2 header requires unknown information (tag %u)",
                          tag);
        if (tag == MULTIBOOT2_TAG_SMBIOS && !loader->info->tag[tag])
            return refuse(loader,
                          "the multiboot 2 header requires SMBIOS tables (tag 13), of which "
                          "the boot loader did not tell");
    }
    return true;
}

static bool read_tag(struct loader *loader, const struct multiboot2_header_tag *tag, const u8 *body,
                     struct wishes *wishes)
{
    static const u8 words[TYPES] = {[MULTIBOOT2_HEADER_TAG_ADDRESS] = 4,
                                    [MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS] = 1,
                                    [MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS] = 1,
                                    [MULTIBOOT2_HEADER_TAG_FRAMEBUFFER] = 3,
                                    [MULTIBOOT2_HEADER_TAG_RELOCATABLE] = 4};
    u32 size = tag->size - sizeof(*tag), room = TAG_WORDS * sizeof(u32);
    bool optional = tag->flags & MULTIBOOT2_HEADER_TAG_OPTIONAL;
    if (tag->type >= TYPES)
        return optional ||
               refuse(loader, "the multiboot 2 header requires unknown features (tag %u)",
                      tag->type);
    if (size < words[tag->type] * sizeof(u32))
        return refuse(loader, "the multiboot 2 header has a tag %u that is too short", tag->type);
    wishes->has[tag->type] = true;
    memcpy(wishes->word[tag->type], body, size < room ? size : room);
    if (tag->type == MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST)
        return optional || check_requests(loader, body, size);
    if (tag->type == MULTIBOOT2_HEADER_TAG_EFI_BOOT_SERVICES)
        return optional || !loader->info->efi ||
               refuse(loader,
                      "the multiboot 2 header requires EFI's boot services, which have ended");
    return true;
}

static bool read_tags(struct loader *loader, const u8 *header, u64 length, struct wishes *wishes)
{
    struct multiboot2_header_tag tag;
    for (u64 offset = sizeof(struct multiboot2_header);; offset += align_up(tag.size, 8)) {
        if (offset + sizeof(tag) > length)
            return refuse(loader, "the multiboot 2 header has no end");
        memcpy(&tag, header + offset, sizeof(tag));
        if (tag.type == MULTIBOOT2_HEADER_TAG_END)
            return true;
        if (tag.size < sizeof(tag) || tag.size > length - offset)
            return refuse(loader, "the multiboot 2 header has a tag of impossible size");
        if (!read_tag(loader, &tag, header + offset + sizeof(tag), wishes))
            return false;
    }
}

static bool check_console(struct loader *loader, const struct wishes *wishes)
{
    bool text = loader->info->framebuffer.type != MULTIBOOT_FRAMEBUFFER_RGB;
    bool takes_video = wishes->has[MULTIBOOT2_HEADER_TAG_FRAMEBUFFER];
    const u32 *video = wishes->word[MULTIBOOT2_HEADER_TAG_FRAMEBUFFER];
    u32 flags = wishes->word[MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS][0];
    bool fits = text ? flags & MULTIBOOT2_CONSOLE_TEXT_SUPPORTED : takes_video;
    if (flags & MULTIBOOT2_CONSOLE_REQUIRED && !fits)
        return refuse(loader, "the multiboot 2 header requires %s console, and there is only %s",
                      text ? "a graphical" : "a text", text ? "text" : "a frame buffer");
    if (takes_video)
        ask_for_video(loader, video[0], video[1], video[2]);
    return true;
}

/* Version 2, 'Relocatable header tag'. */
static bool place_relocatable(struct loader *loader, const u32 *word)
{
    enum { PREFERS_HIGHEST = 2 };
    struct image *image = &loader->image;
    u64 base = kernel_base(image), size = kernel_end(image) - base;
    u64 floor = word[0] ? word[0] : PAGE_SIZE, limit = word[1], align = word[2] ? word[2] : 1;
    if (align & (align - 1))
        return refuse(loader, "the multiboot 2 header asks for an impossible alignment of 0x%lx",
                      align);
    u64 place = memory_map_find(loader->map, word[3] == PREFERS_HIGHEST ? HIGHEST : LOWEST, size,
                                align, floor, limit, loader->used, loader->used_count);
    if (!place)
        return refuse(loader, "no room for the kernel's 0x%lx bytes between 0x%x and 0x%x", size,
                      word[0], word[1]);
    for (unsigned i = 0; i < image->count; i++)
        image->segment[i].address += place - base;
    image->entry += place - base;
    return true;
}

static bool read_header(struct loader *loader)
{
    const struct image *image = &loader->image;
    const u8 *file = image->file + loader->header;
    struct multiboot2_header header;
    struct wishes wishes = {0};
    memcpy(&header, file, sizeof(header));
    if (header.header_length > image->size - loader->header)
        return refuse(loader, "the kernel file is truncated within its multiboot 2 header");
    if (!read_tags(loader, file, header.header_length, &wishes) || !check_console(loader, &wishes))
        return false;
    bool has_entry = wishes.has[MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS];
    bool has_addresses = wishes.has[MULTIBOOT2_HEADER_TAG_ADDRESS];
    if (has_addresses && !has_entry)
        return refuse(loader, "the multiboot 2 header has addresses, but no entry address");
    struct multiboot_addresses addresses = {0};
    memcpy(&addresses, wishes.word[MULTIBOOT2_HEADER_TAG_ADDRESS], TAG_WORDS * sizeof(u32));
    if (!(has_addresses ? addresses_read(loader, &addresses) : elf_read(loader)))
        return false;
    if (has_entry)
        loader->image.entry = wishes.word[MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS][0];
    return !wishes.has[MULTIBOOT2_HEADER_TAG_RELOCATABLE] ||
           place_relocatable(loader, wishes.word[MULTIBOOT2_HEADER_TAG_RELOCATABLE]);
}

static void tell(struct writer *w, struct guest_start *start)
{
    start->eax = MULTIBOOT2_BOOTLOADER_MAGIC;
    start->ebx = w->list;
    start->esp = MULTIBOOT_START_ESP;
}

const struct protocol multiboot2_protocol = {recognized, read_header, modules_place, tell};
