/*
 * Room for everything. What is still needed is never overwritten: all that there is at first, the
 * boot modules and Tally, and where the kernel's segments will go, counts as used; things in the
 * way are copied to free memory; the segments are written last.
 */
#include "load/loader.h"

#include "host/paging.h"
#include "lib/string.h"

#define ADDRESS_END (4 * GIB) /* what a 32-bit guest can be told of */

static void mark_used(struct loader *loader, u64 base, u64 size)
{
    loader->used[loader->used_count++] = (struct memory_range){.base = base, .size = size};
}

u64 take_room(struct loader *loader, const char *what, enum memory_end end, u64 size, u64 floor,
              u64 limit)
{
    u64 pages = align_up(size, PAGE_SIZE);
    u64 base = memory_map_find(loader->map, end, pages, PAGE_SIZE, floor, limit, loader->used,
                               loader->used_count);
    if (base)
        mark_used(loader, base, pages);
    else
        (void)refuse(loader, "no room for %s of 0x%lx bytes", what, size);
    return base;
}

u64 take_behind(struct loader *loader, const char *what, u64 size)
{
    u64 end = kernel_end(&loader->image);
    u64 base = take_room(loader, what, LOWEST, size, end > MIB ? end : MIB, ADDRESS_END);
    return base ? base : take_room(loader, what, LOWEST, size, MIB, ADDRESS_END);
}

/* The image */

u64 kernel_base(const struct image *image)
{
    u64 base = ~0ull;
    for (unsigned i = 0; i < image->count; i++)
        base = image->segment[i].address < base ? image->segment[i].address : base;
    return base;
}

u64 kernel_end(const struct image *image)
{
    u64 end = 0;
    for (unsigned i = 0; i < image->count; i++) {
        u64 segment_end = image->segment[i].address + image->segment[i].memory_size;
        end = segment_end > end ? segment_end : end;
    }
    return end;
}

static bool overlaps_image(const struct image *image, u64 base, u64 size)
{
    for (unsigned i = 0; i < image->count; i++) {
        if (ranges_overlap(image->segment[i].address, image->segment[i].memory_size, base, size))
            return true;
    }
    return false;
}

/* Below 1 MiB, where the BIOS's data, the screen and ROM are, a kernel gets what it asks for, as
 * from GRUB: linkers put headers there that nobody reads. */
static bool check_segment(struct loader *loader, const struct image_segment *segment)
{
    u64 base = segment->address, size = segment->memory_size, above = base > MIB ? base : MIB;
    if (base >= ADDRESS_END || size > ADDRESS_END - base)
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, beyond 4 GiB", size, base);
    if (ranges_overlap(base, size, loader->tally.base, loader->tally.size))
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, where Tally is", size,
                      base);
    if (base + size > MIB && !memory_map_is_ram(loader->map, above, base + size - above))
        return refuse(loader, "does not fit: needs 0x%lx bytes at 0x%lx, which is not all RAM",
                      size, base);
    return true;
}

static bool check_image(struct loader *loader)
{
    const struct image *image = &loader->image;
    bool entry_found = false;
    for (unsigned i = 0; i < image->count; i++) {
        const struct image_segment *s = &image->segment[i];
        if (!check_segment(loader, s))
            return false;
        for (unsigned j = 0; j < i; j++) {
            if (ranges_overlap(s->address, s->memory_size, image->segment[j].address,
                               image->segment[j].memory_size))
                return refuse(loader, "segments overlap at 0x%lx", s->address);
        }
        entry_found |= image->entry >= s->address && image->entry - s->address < s->memory_size;
    }
    return entry_found || refuse(loader, "the entry point 0x%lx is in no segment", image->entry);
}

static bool image_place(struct loader *loader)
{
    struct image *image = &loader->image;
    if (!check_image(loader))
        return false;
    for (unsigned i = 0; i < image->count; i++)
        mark_used(loader, image->segment[i].address, image->segment[i].memory_size);
    if (!overlaps_image(image, loader->info->module[0].start, image->size))
        return true;
    u64 place =
        take_room(loader, "a copy of the kernel file", LOWEST, image->size, MIB, ADDRESS_END);
    if (!place)
        return false;
    image->file = memcpy(physical(place), image->file, image->size);
    return true;
}

/* From here on the file may be overwritten. */
static void image_write(const struct image *image)
{
    for (unsigned i = 0; i < image->count; i++) {
        const struct image_segment *s = &image->segment[i];
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

bool module_can_stay(const struct loader *loader, const struct module *module)
{
    return module->start % PAGE_SIZE == 0 &&
           !overlaps_image(&loader->image, module->start, module->size) &&
           memory_map_is_ram(loader->map, module->start, module->size);
}

bool modules_place(struct loader *loader)
{
    for (unsigned i = 0; i < loader->guest_modules; i++) {
        const struct module *module = guest_module(loader, i);
        loader->module[i] = module->start;
        if (module->size == 0 || module_can_stay(loader, module))
            continue;
        u64 place = take_behind(loader, "a module", module->size);
        if (!place)
            return false;
        memcpy(physical(place), physical(module->start), module->size);
        loader->module[i] = place;
    }
    return true;
}

/* Which protocol: of the two of multiboot that by which Tally itself was started, if the kernel has
 * both. */
static const struct protocol *choose_protocol(struct loader *loader)
{
    const struct image *image = &loader->image;
    bool second = loader->info->multiboot2;
    const struct protocol *const protocols[] = {second ? &multiboot2_protocol : &multiboot_protocol,
                                                second ? &multiboot_protocol : &multiboot2_protocol,
                                                &linux_protocol};
    for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (protocols[i]->recognized(loader))
            return protocols[i];
    }
    if (elf_recognized(image))
        (void)refuse(loader, "the kernel is an ELF file without a multiboot header");
    else if (image->size >= 2 && image->file[0] == 0x1F && image->file[1] == 0x8B)
        (void)refuse(loader, "the kernel is packed by gzip: unpack it first");
    else
        (void)refuse(loader, "the kernel is neither a multiboot kernel nor a Linux bzImage");
    return NULL;
}

const char *load_guest(const struct boot_info *info, struct memory_map *guest_map, u64 tally_base,
                       u64 tally_size, struct guest_start *start)
{
    static struct loader loader;
    loader = (struct loader){
        .info = info, .map = guest_map, .tally = {.base = tally_base, .size = tally_size}};
    for (unsigned i = 0; i < info->module_count; i++)
        mark_used(&loader, info->module[i].start, info->module[i].size);
    mark_used(&loader, tally_base, tally_size);
    loader.guest_modules = info->module_count - 1;
    loader.image.file = physical(info->module[0].start);
    loader.image.size = info->module[0].size;
    const struct protocol *protocol = choose_protocol(&loader);
    if (!protocol || !protocol->read(&loader) || !image_place(&loader))
        return loader.problem;
    u64 page = bios_memory_reserve(info, guest_map, loader.used, loader.used_count);
    if (!elf_place_sections(&loader) || !protocol->place_modules(&loader) ||
        !information_write(&loader, protocol, start))
        return loader.problem;
    image_write(&loader.image);
    bios_memory_hook(page, guest_map);
    return NULL;
}
