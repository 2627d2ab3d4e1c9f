/*
 * Room for everything. What is still needed is never overwritten: all that there is at first, the
 * boot modules and Tally, and where the kernel's segments will go, counts as used; things in the
 * way are copied to free memory; the segments are written last.
 */
#include "load/loader.h"

#include "lib/string.h"
#include "host/paging.h"

#define ADDRESS_END (4 * GIB) /* what a 32-bit guest can be told of */

static bool overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a < b + b_size && b < a + a_size;
}

static void use(struct loader *loader, u64 base, u64 size)
{
    loader->used[loader->used_count++] = (struct memory_range){.base = base, .size = size};
}

static u64 take(struct loader *loader, const char *what, u64 size, u64 base)
{
    if (base)
        use(loader, base, align_up(size, PAGE_SIZE));
    else
        (void)refuse(loader, "no room for %s of 0x%lx bytes", what, size);
    return base;
}

/* The lowest room of `size` bytes in whole pages, not below `floor`. */
static u64 take_lowest(struct loader *loader, const char *what, u64 size, u64 floor)
{
    u64 base = memory_map_find_lowest(loader->map, align_up(size, PAGE_SIZE), PAGE_SIZE, floor,
                                      ADDRESS_END, loader->used, loader->used_count);
    return take(loader, what, size, base);
}

u64 take_highest(struct loader *loader, const char *what, u64 size, u64 floor, u64 limit)
{
    u64 base = memory_map_find(loader->map, align_up(size, PAGE_SIZE), PAGE_SIZE, floor, limit,
                               loader->used, loader->used_count);
    return take(loader, what, size, base);
}

u64 take_behind(struct loader *loader, const char *what, u64 size, const struct image *image)
{
    u64 base = take_lowest(loader, what, size, segments_end(image));
    return base ? base : take_lowest(loader, what, size, MIB);
}

/* The image */

u64 segments_end(const struct image *image)
{
    u64 end = 0;
    for (unsigned i = 0; i < image->count; i++) {
        u64 segment_end = image->segment[i].address + image->segment[i].memory_size;
        if (segment_end > end)
            end = segment_end;
    }
    return end;
}

static bool overlaps_image(const struct image *image, u64 base, u64 size)
{
    for (unsigned i = 0; i < image->count; i++) {
        if (overlap(image->segment[i].address, image->segment[i].memory_size, base, size))
            return true;
    }
    return false;
}

static bool check_segment(struct loader *loader, const struct segment *segment)
{
    u64 base = segment->address, size = segment->memory_size;
    if (base >= ADDRESS_END || size > ADDRESS_END - base)
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, beyond 4 GiB", size, base);
    if (base < LOWEST_ADDRESS)
        return refuse(loader, "wants to be loaded at 0x%lx, on the BIOS's data below 0x%lx", base,
                      LOWEST_ADDRESS);
    if (overlap(base, size, loader->tally.base, loader->tally.size))
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, where Tally is", size,
                      base);
    if (!memory_map_is_ram(loader->map, base, size))
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, which is not all RAM",
                      size, base);
    return true;
}

static bool check_image(struct loader *loader, const struct image *image)
{
    bool entry_found = false;
    for (unsigned i = 0; i < image->count; i++) {
        const struct segment *s = &image->segment[i];
        if (!check_segment(loader, s))
            return false;
        for (unsigned j = 0; j < i; j++) {
            if (overlap(s->address, s->memory_size, image->segment[j].address,
                        image->segment[j].memory_size))
                return refuse(loader, "segments overlap at 0x%lx", s->address);
        }
        entry_found |= image->entry >= s->address && image->entry - s->address < s->memory_size;
    }
    return entry_found || refuse(loader, "the entry point 0x%lx is in no segment", image->entry);
}

bool image_place(struct loader *loader, struct image *image)
{
    if (!check_image(loader, image))
        return false;
    for (unsigned i = 0; i < image->count; i++)
        use(loader, image->segment[i].address, image->segment[i].memory_size);
    if (!overlaps_image(image, loader->info->module[0].start, image->size))
        return true;
    u64 place = take_lowest(loader, "a copy of the kernel file", image->size, MIB);
    if (!place)
        return false;
    image->file = memcpy(physical(place), image->file, image->size);
    return true;
}

void image_write(const struct image *image)
{
    for (unsigned i = 0; i < image->count; i++) {
        const struct segment *s = &image->segment[i];
        u8 *to = physical(s->address);
        memcpy(to, image->file + s->offset, s->file_size);
        memset(to + s->file_size, 0, s->memory_size - s->file_size);
    }
}

/* The modules */

const struct module *guest_module(const struct loader *loader, unsigned i)
{
    return &loader->info->module[i + 1];
}

bool module_can_stay(const struct loader *loader, const struct module *module,
                     const struct image *image)
{
    return module->start % PAGE_SIZE == 0 && !overlaps_image(image, module->start, module->size) &&
           memory_map_is_ram(loader->map, module->start, module->size);
}

bool modules_place(struct loader *loader, const struct image *image)
{
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        loader->module[i] = module->start;
        if (module->size == 0 || module_can_stay(loader, module, image))
            continue;
        u64 place = take_behind(loader, "a module", module->size, image);
        if (!place)
            return false;
        memcpy(physical(place), physical(module->start), module->size);
        loader->module[i] = place;
    }
    return true;
}

/* The block of boot information: in low memory, which every kernel maps first, if possible. */

bool block_place(struct loader *loader, const struct image *image, struct guest_start *start)
{
    enum { CODE = 0x10, DATA = 0x18 }; /* Linux requires these two */
    static const u64 gdt[] = {0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF};
    _Static_assert(sizeof(gdt) == GDT_SIZE, "room for the GDT");
    loader->block = take_highest(loader, "boot information", BLOCK_SIZE, 64 * KIB, 640 * KIB);
    if (!loader->block)
        loader->block = take_behind(loader, "boot information", BLOCK_SIZE, image);
    if (!loader->block)
        return false;
    memset(physical(loader->block), 0, BLOCK_SIZE);
    memcpy(physical(loader->block), gdt, sizeof(gdt));
    start->entry = (u32)image->entry;
    start->gdt_base = (u32)loader->block;
    start->gdt_limit = sizeof(gdt) - 1;
    start->code_selector = CODE;
    start->data_selector = DATA;
    return true;
}

void *block_take(const struct loader *loader, u64 *used, u64 size, u32 *address)
{
    u64 place = loader->block + *used;
    *used += align_up(size, 8);
    *address = (u32)place;
    return physical(place);
}

/* Which format */

static bool load_image(struct loader *loader, struct image *image, struct guest_start *start)
{
    const u8 *file = image->file;
    bool multiboot = multiboot_recognized(file, image->size);
    bool multiboot2 = multiboot2_recognized(file, image->size);
    /* Multiboot 2 alone tells a guest about ACPI and the screen on a UEFI machine. */
    if (multiboot2 && (loader->info->efi || !multiboot))
        return multiboot2_load(loader, image, start);
    if (multiboot)
        return multiboot_load(loader, image, start);
    if (linux_recognized(file, image->size))
        return linux_load(loader, image, start);
    if (elf_recognized(file, image->size))
        return refuse(loader, "the kernel is an ELF file without a multiboot header");
    if (image->size >= 2 && file[0] == 0x1F && file[1] == 0x8B)
        return refuse(loader, "the kernel is packed by gzip: unpack it first");
    return refuse(loader, "the kernel is neither a multiboot kernel nor a Linux bzImage");
}

bool load_guest(const struct boot_info *info, struct memory_map *guest_map, u64 tally_base,
                u64 tally_size, struct guest_start *start, char *error, size_t error_size)
{
    struct loader loader = {.info = info,
                            .map = guest_map,
                            .tally = {.base = tally_base, .size = tally_size},
                            .error = error,
                            .error_size = error_size};
    if (info->module_count == 0)
        return refuse(&loader, "none given: the first boot module must be the guest's kernel");
    for (unsigned i = 0; i < info->module_count; i++) {
        const struct module *module = &info->module[i];
        if (overlap(module->start, module->size, tally_base, tally_size))
            return refuse(&loader, "boot module %u lies where Tally is", i + 1);
        use(&loader, module->start, module->size);
    }
    use(&loader, tally_base, tally_size);
    loader.guest_modules = info->module_count - 1;
    struct image image = {.file = physical(info->module[0].start), .size = info->module[0].size};
    *start = (struct guest_start){0};
    return load_image(&loader, &image, start);
}
