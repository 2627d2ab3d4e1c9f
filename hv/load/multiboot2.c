/* Kernels that follow the Multiboot 2 Specification: the tags of their header. */
#include "load/loader.h"

#include "lib/string.h"

#define ARCHITECTURE_I386 0

static bool find_header(const u8 *file, u64 size, struct multiboot2_header *header, u64 *offset)
{
    u64 end = size < MULTIBOOT2_SEARCH ? size : MULTIBOOT2_SEARCH;
    for (*offset = 0; *offset + sizeof(*header) <= end; *offset += 8) {
        memcpy(header, file + *offset, sizeof(*header));
        if (header->magic == MULTIBOOT2_HEADER_MAGIC && header->architecture == ARCHITECTURE_I386 &&
            header->magic + header->architecture + header->header_length + header->checksum == 0)
            return true;
    }
    return false;
}

static bool recognized(const u8 *file, u64 size)
{
    struct multiboot2_header header = {0};
    u64 offset = 0;
    return find_header(file, size, &header, &offset);
}

/* What the header's tags ask for. Each has at most 16 bytes of its own. */
enum { TAG_WORDS = 4 };
struct wishes {
    bool has_addresses, has_entry, relocatable, accepts_video, console_required, no_text;
    u32 addresses[TAG_WORDS], entry, video[3];
    u32 min_addr, max_addr, align, preference;
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
    static const u8 words[] = {[MULTIBOOT2_HEADER_TAG_ADDRESS] = 4,
                               [MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS] = 1,
                               [MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS] = 1,
                               [MULTIBOOT2_HEADER_TAG_FRAMEBUFFER] = 3,
                               [MULTIBOOT2_HEADER_TAG_RELOCATABLE] = 4};
    u32 body_size = tag->size - sizeof(*tag), word[TAG_WORDS] = {0};
    bool optional = tag->flags & MULTIBOOT2_HEADER_TAG_OPTIONAL;
    memcpy(word, body, body_size < sizeof(word) ? body_size : sizeof(word));
    if (tag->type < ARRAY_SIZE(words) && body_size < words[tag->type] * sizeof(u32))
        return refuse(loader, "the multiboot 2 header has a tag %u that is too short", tag->type);

    switch (tag->type) {
    case MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST:
        return optional || check_requests(loader, body, body_size);
    case MULTIBOOT2_HEADER_TAG_ADDRESS:
        wishes->has_addresses = true;
        memcpy(wishes->addresses, word, sizeof(word));
        return true;
    case MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS:
        wishes->has_entry = true;
        wishes->entry = word[0];
        return true;
    case MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS:
        wishes->console_required = word[0] & MULTIBOOT2_CONSOLE_REQUIRED;
        wishes->no_text = !(word[0] & MULTIBOOT2_CONSOLE_TEXT_SUPPORTED);
        return true;
    case MULTIBOOT2_HEADER_TAG_FRAMEBUFFER:
        wishes->accepts_video = true;
        memcpy(wishes->video, word, sizeof(wishes->video));
        return true;
    case MULTIBOOT2_HEADER_TAG_RELOCATABLE:
        wishes->relocatable = true;
        memcpy(&wishes->min_addr, word, sizeof(word));
        return true;
    case MULTIBOOT2_HEADER_TAG_EFI_BOOT_SERVICES:
        return optional || !loader->info->efi ||
               refuse(loader,
                      "the multiboot 2 header requires EFI's boot services, which have ended");
    case MULTIBOOT2_HEADER_TAG_MODULE_ALIGN: /* they always are */
    case MULTIBOOT2_HEADER_TAG_ENTRY_EFI32:  /* only with boot services */
    case MULTIBOOT2_HEADER_TAG_ENTRY_EFI64: return true;
    default:
        return optional ||
               refuse(loader, "the multiboot 2 header requires unknown features (tag %u)",
                      tag->type);
    }
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
    if (wishes->console_required && (text ? wishes->no_text : !wishes->accepts_video))
        return refuse(loader, "the multiboot 2 header requires %s console, and there is only %s",
                      text ? "a graphical" : "a text", text ? "text" : "a frame buffer");
    if (wishes->accepts_video)
        ask_for_video(loader, wishes->video[0], wishes->video[1], wishes->video[2]);
    return true;
}

/* Version 2, 'Relocatable header tag'. */
static bool place_relocatable(struct loader *loader, const struct wishes *wishes)
{
    enum { HIGHEST = 2 };
    struct image *image = &loader->image;
    u64 base = kernel_base(image), size = kernel_end(image) - base;
    u64 align = wishes->align ? wishes->align : 1;
    u64 floor = wishes->min_addr ? wishes->min_addr : PAGE_SIZE;
    if (align & (align - 1))
        return refuse(loader, "the multiboot 2 header asks for an impossible alignment of 0x%lx",
                      align);
    u64 place = wishes->preference == HIGHEST
                    ? memory_map_find(loader->map, size, align, floor, wishes->max_addr,
                                      loader->used, loader->used_count)
                    : memory_map_find_lowest(loader->map, size, align, floor, wishes->max_addr,
                                             loader->used, loader->used_count);
    if (!place)
        return refuse(loader, "no room for the kernel's 0x%lx bytes between 0x%x and 0x%x", size,
                      wishes->min_addr, wishes->max_addr);
    for (unsigned i = 0; i < image->count; i++)
        image->segment[i].address += place - base;
    image->entry += place - base;
    return true;
}

static bool read_header(struct loader *loader)
{
    struct image *image = &loader->image;
    struct multiboot2_header header = {0};
    struct wishes wishes = {0};
    u64 offset = 0;
    find_header(image->file, image->size, &header, &offset);
    if (header.header_length > image->size - offset)
        return refuse(loader, "the kernel file is truncated within its multiboot 2 header");
    if (!read_tags(loader, image->file + offset, header.header_length, &wishes) ||
        !check_console(loader, &wishes))
        return false;
    if (wishes.has_addresses && !wishes.has_entry)
        return refuse(loader, "the multiboot 2 header has addresses, but no entry address");
    const u32 *a = wishes.addresses;
    struct address_fields fields = {a[0], a[1], a[2], a[3], wishes.entry};
    if (!(wishes.has_addresses ? address_fields_read(loader, offset, &fields) : elf_read(loader)))
        return false;
    if (wishes.has_entry)
        image->entry = wishes.entry;
    return !wishes.relocatable || place_relocatable(loader, &wishes);
}

const struct protocol multiboot2_protocol = {"multiboot 2", recognized, read_header, modules_place,
                                             multiboot2_tell};
