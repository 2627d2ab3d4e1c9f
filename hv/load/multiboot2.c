/* Guests that follow the Multiboot 2 Specification. */
#include "load/loader.h"

#include "lib/string.h"
#include "host/paging.h"

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

bool multiboot2_recognized(const u8 *file, u64 size)
{
    struct multiboot2_header header;
    u64 offset;
    return find_header(file, size, &header, &offset);
}

/* What the header's tags ask for. */
struct wishes {
    bool has_addresses, has_entry;
    struct address_fields fields;
};

static bool can_give(u32 tag)
{
    static const u8 given[] = {MULTIBOOT2_TAG_CMDLINE,  MULTIBOOT2_TAG_BOOT_LOADER_NAME,
                               MULTIBOOT2_TAG_MODULE,   MULTIBOOT2_TAG_BASIC_MEMINFO,
                               MULTIBOOT2_TAG_MMAP,     MULTIBOOT2_TAG_FRAMEBUFFER,
                               MULTIBOOT2_TAG_ACPI_OLD, MULTIBOOT2_TAG_ACPI_NEW};
    for (unsigned i = 0; i < ARRAY_SIZE(given); i++) {
        if (given[i] == tag)
            return true;
    }
    return false;
}

static bool check_requests(struct loader *loader, const u8 *requests, u32 size)
{
    for (u32 offset = 0; offset + sizeof(u32) <= size; offset += sizeof(u32)) {
        u32 tag;
        memcpy(&tag, requests + offset, sizeof(tag));
        if (!can_give(tag))
            return refuse(loader, "the multiboot 2 header requires unknown information (tag %u)",
                          tag);
    }
    return true;
}

static bool read_tag(struct loader *loader, const struct multiboot2_header_tag *tag, const u8 *body,
                     struct wishes *wishes)
{
    u32 body_size = tag->size - sizeof(*tag), address[4] = {0};
    bool optional = tag->flags & MULTIBOOT2_HEADER_TAG_OPTIONAL;
    memcpy(address, body, body_size < sizeof(address) ? body_size : sizeof(address));

    switch (tag->type) {
    case MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST:
        return optional || check_requests(loader, body, body_size);
    case MULTIBOOT2_HEADER_TAG_ADDRESS:
        if (body_size < sizeof(address))
            return refuse(loader, "the multiboot 2 header has an address tag that is too short");
        wishes->has_addresses = true;
        wishes->fields.header_addr = address[0];
        wishes->fields.load_addr = address[1];
        wishes->fields.load_end_addr = address[2];
        wishes->fields.bss_end_addr = address[3];
        return true;
    case MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS:
        wishes->has_entry = true;
        wishes->fields.entry_addr = address[0];
        return true;
    case MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS:
    case MULTIBOOT2_HEADER_TAG_FRAMEBUFFER:
    case MULTIBOOT2_HEADER_TAG_MODULE_ALIGN:
    case MULTIBOOT2_HEADER_TAG_ENTRY_EFI32: /* only with boot services */
    case MULTIBOOT2_HEADER_TAG_ENTRY_EFI64:
    case MULTIBOOT2_HEADER_TAG_RELOCATABLE: /* it is loaded where it was linked */ return true;
    default:
        return optional || refuse(loader,
                                  "the multiboot 2 header requires unknown features "
                                  "(tag %u)",
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

static bool read_image(struct loader *loader, struct image *image)
{
    struct multiboot2_header header = {0};
    struct wishes wishes = {0};
    u64 offset;
    find_header(image->file, image->size, &header, &offset);
    if (header.header_length > image->size - offset)
        return refuse(loader, "the kernel file is truncated within its multiboot 2 header");
    if (!read_tags(loader, image->file + offset, header.header_length, &wishes))
        return false;
    if (wishes.has_addresses && !wishes.has_entry)
        return refuse(loader, "the multiboot 2 header has addresses, but no entry address");
    if (wishes.has_addresses)
        return address_fields_read(loader, image, offset, &wishes.fields);
    if (!elf_recognized(image->file, image->size))
        return refuse(loader, "the kernel has a multiboot 2 header without addresses and is not "
                              "ELF");
    if (!elf_read(loader, image))
        return false;
    if (wishes.has_entry)
        image->entry = wishes.fields.entry_addr;
    return true;
}

/* The information */

static void *put_tag(const struct loader *loader, u64 *used, u32 type, u64 size)
{
    u32 address;
    struct multiboot2_tag *tag = block_take(loader, used, size, &address);
    tag->type = type;
    tag->size = (u32)size;
    return tag;
}

static void put_string(const struct loader *loader, u64 *used, u32 type, const char *text)
{
    size_t size = strlen(text) + 1;
    struct multiboot2_tag *tag = put_tag(loader, used, type, sizeof(*tag) + size);
    memcpy(tag + 1, text, size);
}

static void put_modules(const struct loader *loader, u64 *used)
{
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        size_t size = strlen(module->command_line) + 1;
        struct multiboot2_module *tag =
            put_tag(loader, used, MULTIBOOT2_TAG_MODULE, sizeof(*tag) + size);
        tag->mod_start = (u32)loader->module[i];
        tag->mod_end = (u32)(loader->module[i] + module->size);
        memcpy(tag->cmdline, module->command_line, size);
    }
}

static void put_memory(const struct loader *loader, u64 *used)
{
    const struct memory_map *map = loader->map;
    struct {
        struct multiboot2_tag tag;
        u32 lower, upper;
    } *sizes = put_tag(loader, used, MULTIBOOT2_TAG_BASIC_MEMINFO, sizeof(*sizes));
    memory_sizes(map, &sizes->lower, &sizes->upper);

    struct multiboot2_mmap_entry *entry;
    struct multiboot2_mmap *mmap =
        put_tag(loader, used, MULTIBOOT2_TAG_MMAP, sizeof(*mmap) + map->count * sizeof(*entry));
    mmap->entry_size = sizeof(*entry);
    entry = (struct multiboot2_mmap_entry *)(mmap + 1);
    for (unsigned i = 0; i < map->count; i++)
        entry[i] = (struct multiboot2_mmap_entry){
            .addr = map->range[i].base, .len = map->range[i].size, .type = map->range[i].type};
}

static void put_acpi(const struct loader *loader, u64 *used)
{
    enum { REVISION = 15, SIZE_1 = 20 };
    const u8 *rsdp = loader->info->rsdp;
    bool is_new = rsdp[REVISION] >= 2;
    u64 size = is_new ? sizeof(loader->info->rsdp) : SIZE_1;
    if (!rsdp[0])
        return;
    struct multiboot2_tag *tag =
        put_tag(loader, used, is_new ? MULTIBOOT2_TAG_ACPI_NEW : MULTIBOOT2_TAG_ACPI_OLD,
                sizeof(*tag) + size);
    memcpy(tag + 1, rsdp, size);
}

static void put_framebuffer(const struct loader *loader, u64 *used)
{
    const struct multiboot2_framebuffer *from = &loader->info->framebuffer;
    if (!from->addr)
        return;
    struct multiboot2_framebuffer *to =
        put_tag(loader, used, MULTIBOOT2_TAG_FRAMEBUFFER, sizeof(*to));
    struct multiboot2_tag tag = to->tag;
    *to = *from;
    to->tag = tag;
}

/* Returns the address of the information. */
static u32 put_info(const struct loader *loader)
{
    u64 used = GDT_SIZE, start = used;
    u32 address;
    struct multiboot2_info *info = block_take(loader, &used, sizeof(*info), &address);
    put_string(loader, &used, MULTIBOOT2_TAG_CMDLINE, loader->info->module[0].command_line);
    put_string(loader, &used, MULTIBOOT2_TAG_BOOT_LOADER_NAME, "Tally");
    put_modules(loader, &used);
    put_memory(loader, &used);
    put_acpi(loader, &used);
    put_framebuffer(loader, &used);
    put_tag(loader, &used, MULTIBOOT2_TAG_END, sizeof(struct multiboot2_tag));
    info->total_size = (u32)(used - start);
    return address;
}
_Static_assert(GDT_SIZE + 256 + COMMAND_LINES_MAX +
                       MODULES_MAX * (sizeof(struct multiboot2_module) + 8) +
                       MEMORY_MAP_MAX * sizeof(struct multiboot2_mmap_entry) <=
                   BLOCK_SIZE,
               "everything has room in the block");

bool multiboot2_load(struct loader *loader, struct image *image, struct guest_start *start)
{
    if (!read_image(loader, image) || !image_place(loader, image) ||
        !modules_place(loader, image) || !block_place(loader, image, start))
        return false;
    image_write(image);
    start->protocol = "multiboot 2";
    start->eax = MULTIBOOT2_BOOTLOADER_MAGIC;
    start->ebx = put_info(loader);
    return true;
}
