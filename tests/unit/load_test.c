// link: hv/load/loader.c hv/load/elf.c hv/load/multiboot.c hv/load/multiboot2.c hv/load/linux.c
// link: hv/platform/memory_map.c hv/platform/boot_info.c hv/lib/print.c
/* Guests of every kind are loaded into an arena in which only RAM can be touched; what they are
 * told is read back by Tally's own reader. Then files are damaged, by hand and at random. */
#include "load/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "load/linux.h"

#include "arena.h"

#define TALLY_SIZE (2 * MIB)
#define FILE_MAX 0x8000

static struct boot_info info, told;
static struct memory_map map;
static struct guest_start start;
static char error[160];
static u64 tally, ram_end;
static u8 file[FILE_MAX]; /* of the kernel */
static u64 file_size;

void *physical(u64 address)
{
    assert_true(address < ARENA_SIZE);
    return arena + address;
}

static const void *at(u64 address)
{
    return physical(address);
}

/* A PC with `megabytes` of RAM, Tally at its top. */
static void machine(u64 megabytes)
{
    ram_end = megabytes * MIB;
    tally = ram_end - TALLY_SIZE;
    arena_clear();
    arena_ram(PAGE_SIZE, 0x9E000);
    arena_ram(MIB, tally - MIB);
    memset(&info, 0, sizeof(info));
    info.command_line = "";
    memory_map_add(&info.map, 0, 0x9F000, MEMORY_RAM);
    memory_map_add(&info.map, 0x9F000, 0x61000, MEMORY_RESERVED);
    memory_map_add(&info.map, MIB, ram_end - MIB, MEMORY_RAM);
    map = info.map;
    memory_map_set(&map, tally, TALLY_SIZE, MEMORY_RESERVED);
}

static void add_module(u64 address, const void *contents, u64 size, const char *command_line)
{
    memcpy(physical(address), contents, size);
    info.module[info.module_count++] = (struct module){address, size, command_line};
}

static bool load(void)
{
    error[0] = 0;
    return load_guest(&info, &map, tally, TALLY_SIZE, &start, error, sizeof(error));
}

static void put32(u64 offset, u32 value)
{
    memcpy(file + offset, &value, sizeof(value));
}

static void put16(u64 offset, u16 value)
{
    memcpy(file + offset, &value, sizeof(value));
}

static void new_file(u64 size)
{
    static u8 pattern[FILE_MAX];
    if (!pattern[0]) {
        for (u64 i = 0; i < FILE_MAX; i++)
            pattern[i] = (u8)(i * 31 + (i >> 8) * 7 + 1);
    }
    file_size = size;
    memcpy(file, pattern, size);
}

static void put_header(u64 offset, u32 flags)
{
    put32(offset, MULTIBOOT_HEADER_MAGIC);
    put32(offset + 4, flags);
    put32(offset + 8, -(MULTIBOOT_HEADER_MAGIC + flags));
}

/* ELF: the segments [0x1000, 0x3000) of the file at 0x100000 with 0x2000 of bss, and
 * [0x3000, 0x3123) at 0x108000; linked 0xC0000000 higher; entry 0x100010; header at 0x200. */

static void make_elf_start(u8 class, u16 machine_number)
{
    new_file(0x3200);
    memset(file, 0, 0x200);
    memcpy(file, "\177ELF", 4);
    file[4] = class;
    file[5] = file[6] = 1;
    put16(16, 2);
    put16(18, machine_number);
    put32(20, 1);
    put32(24, 0xC0100010);
    put_header(0x200, MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO);
}

static void make_elf32(void)
{
    static const u32 segments[][8] = {
        {1, 0x1000, 0xC0100000, 0x100000, 0x2000, 0x4000, 7, 0x1000},
        {4, 0x1000, 0, 0, 0x10, 0x10, 0, 0},
        {1, 0x3000, 0xC0108000, 0x108000, 0x123, 0x123, 7, 0x1000},
    };
    make_elf_start(1, 3);
    put32(28, 52);
    put16(42, 32);
    put16(44, 3);
    memcpy(file + 52, segments, sizeof(segments));
}

static void make_elf64(void)
{
    static const u64 segments[][7] = {
        {1 | 7ull << 32, 0x1000, 0xC0100000, 0x100000, 0x2000, 0x4000, 0x1000},
        {4, 0x1000, 0, 0, 0x10, 0x10, 0},
        {1 | 7ull << 32, 0x3000, 0xC0108000, 0x108000, 0x123, 0x123, 0x1000},
    };
    make_elf_start(2, 62);
    put32(32, 64);
    put16(54, 56);
    put16(56, 3);
    memcpy(file + 64, segments, sizeof(segments));
}

/* A flat file: header at 0x40, loaded at 0x100000, zeroed to 0x110000, entry 0x100020. */
static void make_flat(void)
{
    static const u32 fields[] = {0x100040, 0x100000, 0x100000 + 0x3100, 0x110000, 0x100020};
    new_file(0x3200);
    put_header(0x40, MULTIBOOT_AOUT_KLUDGE);
    memcpy(file + 0x40 + 12, fields, sizeof(fields));
}

static void make_multiboot2(void)
{
    static const u32 tags[] = {
        MULTIBOOT2_HEADER_MAGIC,
        0,
        88,
        -(MULTIBOOT2_HEADER_MAGIC + 88), /* header */
        1,
        16,
        3,
        6, /* modules, map */
        2,
        24,
        0x100040,
        0x100000,
        0x103100,
        0x110000, /* addresses */
        3,
        12,
        0x100020,
        0, /* entry */
        7 | 1 << 16,
        8, /* boot services, optional */
        0,
        8, /* end */
    };
    new_file(0x3200);
    memcpy(file + 0x40, tags, sizeof(tags));
}

/* A bzImage: 3 sectors of setup, 0x2000 bytes of kernel, wants to be at 1 MiB with 64 KiB. */
static void make_linux(void)
{
    struct linux_header header = {
        .setup_sects = 3,
        .syssize = 0x200,
        .boot_flag = LINUX_BOOT_FLAG,
        .jump_opcode = 0xEB,
        .jump_distance = 0x66,
        .magic = LINUX_HEADER_MAGIC,
        .version = 0x20F,
        .loadflags = 1,
        .code32_start = 0x100000,
        .initrd_addr_max = 0x7FFFFFFF,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .cmdline_size = 255,
        .pref_address = 0x100000,
        .init_size = 0x10000,
    };
    new_file(4 * LINUX_SECTOR + 0x2000);
    memcpy(file + LINUX_HEADER_OFFSET, &header, sizeof(header));
}

static void add_kernel(u64 address, const char *command_line)
{
    add_module(address, file, file_size, command_line);
}

static void check_bytes(u64 address, u64 file_offset, u64 in_file, u64 in_memory)
{
    assert_memory_equal(physical(address), file + file_offset, in_file);
    for (u64 i = in_file; i < in_memory; i++)
        assert_int_equal(arena[address + i], 0);
}

static void check_elf(void)
{
    check_bytes(0x100000, 0x1000, 0x2000, 0x4000);
    check_bytes(0x108000, 0x3000, 0x123, 0x123);
    assert_int_equal(start.entry, 0x100010);
}

static void check_flat(void)
{
    check_bytes(0x100000, 0, 0x3100, 0x10000);
    assert_int_equal(start.entry, 0x100020);
}

static void check_gdt(void)
{
    u64 code, data;
    memcpy(&code, physical(start.gdt_base + start.code_selector), 8);
    memcpy(&data, physical(start.gdt_base + start.data_selector), 8);
    assert_int_equal(code, 0x00CF9B000000FFFF);
    assert_int_equal(data, 0x00CF93000000FFFF);
    assert_int_equal(start.gdt_limit, 31);
}

static void check_map(const struct memory_map *seen)
{
    assert_int_equal(seen->count, map.count);
    assert_memory_equal(seen->range, map.range, map.count * sizeof(map.range[0]));
}

/* What a multiboot guest is told, by Tally's own reader. */
static void check_told(void)
{
    check_gdt();
    assert_null(boot_info_read(&told, start.eax, start.ebx, at));
    assert_string_equal(told.loader, "Tally");
    assert_string_equal(told.command_line, info.module[0].command_line);
    assert_int_equal(told.module_count, info.module_count - 1);
    check_map(&told.map);
}

static void check_module(unsigned i, const u8 *contents, u64 size)
{
    assert_string_equal(told.module[i].command_line, info.module[i + 1].command_line);
    assert_int_equal(told.module[i].size, size);
    assert_int_equal(told.module[i].start % PAGE_SIZE, 0);
    assert_true(memory_map_is_ram(&map, told.module[i].start, size));
    assert_memory_equal(physical(told.module[i].start), contents, size);
}

static const struct kind {
    void (*make)(void);
    void (*check)(void);
    u32 magic;
} kinds[] = {
    {make_elf32, check_elf, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_elf64, check_elf, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_flat, check_flat, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_multiboot2, check_flat, MULTIBOOT2_BOOTLOADER_MAGIC},
};

static void multiboot_guests(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        machine(64);
        kinds[i].make();
        add_kernel(0x400000, "one two");
        add_module(0x500000, "abc", 3, "the module's words");
        assert_true(load());
        assert_int_equal(start.eax, kinds[i].magic);
        kinds[i].check();
        check_told();
        check_module(0, (const u8 *)"abc", 3);
        assert_int_equal(told.module[0].start, 0x500000); /* it was not in the way */
    }
}

static void sizes_of_memory(void **state)
{
    (void)state;
    machine(64);
    make_elf32();
    add_kernel(0x400000, "");
    assert_true(load());
    const struct multiboot_info *mbi = physical(start.ebx);
    assert_int_equal(mbi->mem_lower, 0x9F000 / 1024);
    assert_int_equal(mbi->mem_upper, 61 * 1024);
}

static void acpi_and_framebuffer(void **state)
{
    (void)state;
    for (unsigned efi = 0; efi < 2; efi++) {
        machine(64);
        make_flat(); /* both headers: UEFI decides for the second version */
        u8 fields[32];
        memcpy(fields, file + 0x40, sizeof(fields));
        make_multiboot2();
        memcpy(file + 0x100, fields, sizeof(fields));
        add_kernel(0x400000, "x");
        info.efi = efi;
        memcpy(info.rsdp, "RSD PTR ", 8);
        info.rsdp[15] = 2;
        info.framebuffer.addr = 0xE0000000;
        info.framebuffer.width = 1024;
        info.framebuffer.color_info[0] = 16;
        assert_true(load());
        assert_int_equal(start.eax, efi ? MULTIBOOT2_BOOTLOADER_MAGIC : MULTIBOOT_BOOTLOADER_MAGIC);
        check_told();
        if (efi)
            assert_memory_equal(told.rsdp, info.rsdp, 36);
        assert_int_equal(told.framebuffer.width, 1024);
        assert_int_equal(told.framebuffer.color_info[0], 16);
    }
}

/* Modules anywhere, also where the kernel wants to be. */
static void nothing_is_lost(void **state)
{
    (void)state;
    static u8 contents[6][0x5000];
    srandom(4);
    for (unsigned round = 0; round < 400; round++) {
        machine(8);
        const struct kind *kind = &kinds[round % ARRAY_SIZE(kinds)];
        kind->make();
        unsigned order[16], modules = 1 + (unsigned)random() % 6;
        for (unsigned i = 0; i < 16; i++)
            order[i] = i;
        for (unsigned i = 15; i > 0; i--) {
            unsigned j = (unsigned)random() % (i + 1), keep = order[i];
            order[i] = order[j];
            order[j] = keep;
        }
        u64 skew = round % 3 == 0 ? 0x123 : 0;
        add_kernel(0xFC000 + 0x4000 + order[0] * 0x6000ull + skew, "kernel");
        for (unsigned i = 0; i < modules; i++) {
            for (u64 n = 0; n < sizeof(contents[i]); n++)
                contents[i][n] = (u8)random();
            add_module(0x100000 + order[i + 1] * 0x6000ull + skew, contents[i],
                       1 + (u64)random() % sizeof(contents[i]), i % 2 ? "odd" : "even");
        }
        if (!load())
            fail_msg("%s", error);
        kind->check();
        check_told();
        for (unsigned i = 0; i < modules; i++) {
            check_module(i, contents[i], info.module[i + 1].size);
            for (unsigned j = 0; j < i; j++)
                assert_true(told.module[i].start >= told.module[j].start + told.module[j].size ||
                            told.module[j].start >= told.module[i].start + told.module[i].size);
        }
    }
}

/* Linux */

static const struct linux_boot_params *params(void)
{
    return physical(start.esi);
}

static void check_linux(u64 address)
{
    const struct linux_boot_params *p = params();
    check_gdt();
    assert_int_equal(start.code_selector, 0x10);
    assert_int_equal(start.data_selector, 0x18);
    assert_int_equal(start.entry, address);
    assert_int_equal(start.ebx, 0);
    assert_memory_equal(physical(address), file + 4 * LINUX_SECTOR, 0x2000);
    assert_int_equal(p->header.magic, LINUX_HEADER_MAGIC);
    assert_int_equal(p->header.code32_start, address);
    assert_int_equal(p->header.type_of_loader, 0xFF);
    assert_int_equal(p->header.kernel_alignment, 0x200000);
    assert_string_equal(physical(p->header.cmd_line_ptr), info.module[0].command_line);
    struct memory_map seen = {0};
    for (unsigned i = 0; i < p->e820_entries; i++)
        memory_map_add(&seen, p->e820_table[i].addr, p->e820_table[i].size, p->e820_table[i].type);
    check_map(&seen);
}

static void linux_guest(void **state)
{
    (void)state;
    machine(64);
    make_linux();
    add_kernel(0x100000, "console=ttyS0 quiet"); /* where it wants to be itself */
    assert_true(load());
    check_linux(0x100000);
    assert_string_equal(start.protocol, "Linux");
    assert_int_equal(params()->header.ramdisk_size, 0);
    assert_int_equal(params()->screen_info.orig_video_is_vga, LINUX_VIDEO_VGA_TEXT);
    assert_int_equal(params()->screen_info.orig_video_cols, 80);
    assert_int_equal(params()->acpi_rsdp_addr, 0);
    assert_int_equal(params()->alt_mem_k, 61 * 1024);
}

static void linux_with_initrds(void **state)
{
    (void)state;
    machine(64);
    make_linux();
    add_kernel(0x300000, "");
    add_module(0x400000, "initrd", 6, "");
    assert_true(load());
    check_linux(0x100000);
    assert_int_equal(params()->header.ramdisk_image, 0x400000);
    assert_int_equal(params()->header.ramdisk_size, 6);

    machine(64);
    add_kernel(0x300000, "");
    add_module(0x108000, "initrd", 6, ""); /* in the way */
    assert_true(load());
    check_linux(0x100000);
    assert_int_equal(params()->header.ramdisk_image, tally - PAGE_SIZE);
    assert_memory_equal(physical(tally - PAGE_SIZE), "initrd\0\0", 8);

    machine(64);
    struct linux_header *header = (struct linux_header *)(file + LINUX_HEADER_OFFSET);
    header->initrd_addr_max = 0x3FFFFF;
    add_kernel(0x300000, "");
    add_module(0x400000, "first", 5, "");
    add_module(0x500000, "second", 6, "");
    assert_true(load());
    check_linux(0x100000);
    assert_int_equal(params()->header.ramdisk_image, 0x3FF000);
    assert_int_equal(params()->header.ramdisk_size, 16);
    assert_memory_equal(physical(0x3FF000), "first\0\0\0second\0\0", 16);
}

static void linux_elsewhere(void **state)
{
    (void)state;
    machine(64);
    make_linux();
    add_kernel(0x1000000, "");
    memory_map_set(&map, 0x104000, 0x1000, MEMORY_ACPI_NVS);
    assert_true(load());
    check_linux(0x200000);
    machine(64);
    ((struct linux_header *)(file + LINUX_HEADER_OFFSET))->relocatable_kernel = 0;
    add_kernel(0x1000000, "");
    memory_map_set(&map, 0x104000, 0x1000, MEMORY_ACPI_NVS);
    assert_false(load());
    assert_string_equal(error, "guest: does not fit: needs 0x10000 bytes at 0x100000, which is not "
                               "all RAM");
}

static void linux_on_uefi(void **state)
{
    (void)state;
    machine(64);
    make_linux();
    add_kernel(0x1000000, "");
    info.efi = true;
    memcpy(info.rsdp, "RSD PTR ", 8);
    info.framebuffer = (struct multiboot2_framebuffer){.addr = 0x480000000,
                                                       .pitch = 4096,
                                                       .width = 1024,
                                                       .height = 768,
                                                       .bpp = 32,
                                                       .type = MULTIBOOT_FRAMEBUFFER_RGB,
                                                       .color_info = {16, 8, 8, 8, 0, 8}};
    assert_true(load());
    check_linux(0x100000);
    u64 rsdp = params()->acpi_rsdp_addr;
    assert_memory_equal(physical(rsdp), info.rsdp, 36);
    assert_false(memory_map_is_ram(&map, rsdp, 36));
    const struct linux_screen_info *screen = &params()->screen_info;
    assert_int_equal(screen->orig_video_is_vga, LINUX_VIDEO_EFI);
    assert_int_equal(screen->lfb_base, 0x80000000);
    assert_int_equal(screen->ext_lfb_base, 4);
    assert_int_equal(screen->lfb_size, 4096 * 768);
    assert_int_equal(screen->red_pos, 16);
}

/* Refusals: one damage each, and the words that must be in the line. */

#define HEADER(field) (LINUX_HEADER_OFFSET + offsetof(struct linux_header, field))

static void make_packed(void)
{
    new_file(0x100);
    put16(0, 0x8B1F);
}

static const struct damage {
    void (*make)(void);
    u64 offset;
    u8 size; /* of the value; 0: the file is cut at offset */
    u32 value;
    const char *words;
} damages[] = {
    {make_elf32, 4, 1, 3, "class 3"},
    {make_elf32, 5, 1, 2, "little-endian"},
    {make_elf32, 16, 2, 3, "type 3, it is no executable"},
    {make_elf32, 18, 2, 40, "machine 40"},
    {make_elf32, 42, 2, 31, "program headers of 31 bytes"},
    {make_elf32, 28, 4, 0x3200, "truncated: its program headers"},
    {make_elf32, 28, 4, 0xFFFFFFF0, "truncated: its program headers"},
    {make_elf32, 44, 2, 0xFFFF, "truncated: its program headers"},
    {make_elf32, 44, 2, 0, "no segment to load"},
    {make_elf32, 0x3122, 0, 0, "truncated: segment 2"},
    {make_elf32, 52 + 4, 4, 0xFFFFFFF0, "truncated: segment 0"},
    {make_elf32, 52 + 20, 4, 0x1FFF, "segment 0 has more bytes in the file"},
    {make_elf32, 52 + 12, 4, 0x106000, "segments overlap at 0x108000"},
    {make_elf32, 52 + 12, 4, 0xC0000000, "needs 0x4000 bytes at 0xc0000000, which is not all RAM"},
    {make_elf32, 52 + 12, 4, 0xFFFFE000, "beyond 4 GiB"},
    {make_elf32, 52 + 12, 4, 0x3DFE000, "at 0x3dfe000, where Tally is"},
    {make_elf32, 52 + 12, 4, 0x500, "at 0x500, on the BIOS's data"},
    {make_elf32, 24, 4, 0x100010, NULL}, /* a physical entry is right as well */
    {make_elf32, 24, 4, 0x120000, "entry point 0x120000 is in no segment"},
    {make_elf32, 0x200, 4, 0, "ELF file without a multiboot header"},
    {make_elf32, 0x204, 4, 1, "ELF file without a multiboot header"}, /* bad checksum */
    {make_elf64, 64 + 24 + 4, 4, 1, "beyond 4 GiB"},
    {make_elf64, 64 + 40 + 4, 4, 1, "beyond 4 GiB"},
    {make_elf64, 64 + 8 + 4, 4, 0xFFFFFFFF, "truncated: segment 0"},
    {make_elf64, 32 + 4, 4, 0xFFFFFFFF, "truncated: its program headers"},
    {make_flat, 0x4C, 4, 0x200000, "load_addr 0x100000 does not suit"},
    {make_flat, 0x50, 4, 0x100041, "load_addr 0x100041 does not suit"},
    {make_flat, 0x54, 4, 0xFFFFF, "load_end_addr"},
    {make_flat, 0x54, 4, 0x200000, "truncated: 0x3200 of 0x100000 bytes"},
    {make_flat, 0x58, 4, 0x100001, "bss_end_addr"},
    {make_flat, 0x5C, 4, 0x110000, "entry point 0x110000 is in no segment"},
    {make_flat, 0x40, 4, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_flat, 11, 0, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_packed, 0x80, 2, 0, "packed by gzip"},
    {make_flat, 0, 0, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_multiboot2, 0x40 + 24, 4, 21, "requires unknown information (tag 21)"},
    {make_multiboot2, 0x40 + 20, 4, 7, "tag of impossible size"},
    {make_multiboot2, 0x40 + 20, 4, 0xFFFFFFFF, "tag of impossible size"},
    {make_multiboot2, 0x40 + 36, 4, 20, "address tag that is too short"},
    {make_multiboot2, 0x40 + 56, 2, 4, "no entry address"},
    {make_multiboot2, 0x40 + 72, 4, 7, "requires unknown features (tag 7)"},
    {make_multiboot2, 0x40 + 80, 2, 4, "has no end"},
    {make_multiboot2, 0x90, 0, 0, "truncated within its multiboot 2 header"},
    {make_linux, HEADER(version), 2, 0x209, "too old: boot protocol 2.09"},
    {make_linux, HEADER(loadflags), 1, 0, "zImage"},
    {make_linux, HEADER(kernel_alignment), 4, 0x3000, "alignment of 0x3000"},
    {make_linux, HEADER(cmdline_size), 4, 5, "command lines of 5 bytes"},
    {make_linux, HEADER(syssize), 4, 0x1000, "truncated"},
    {make_linux, HEADER(setup_sects), 1, 255, "truncated"},
    {make_linux, 0x800, 0, 0, "truncated"},
    {make_linux, HEADER(magic), 4, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_linux, HEADER(init_size), 4, 0xF0000000, "does not fit"},
    {make_linux, HEADER(initrd_addr_max), 4, 0x10000, "no room for the initrd"},
};

static void refusals(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(damages); i++) {
        const struct damage *d = &damages[i];
        machine(64);
        d->make();
        memcpy(file + d->offset, &d->value, d->size);
        if (d->size == 0)
            file_size = d->offset;
        add_kernel(0x400000, "nine chars");
        add_module(0x500001, "abc", 3, "");
        bool loaded = load();
        if (loaded != !d->words || (d->words && !strstr(error, d->words)) || strchr(error, '\n'))
            fail_msg("%u: '%s' instead of '%s'", i, loaded ? "loaded" : error, d->words);
    }
}

static void other_refusals(void **state)
{
    (void)state;
    machine(64);
    assert_false(load());
    assert_non_null(strstr(error, "none given"));
    make_flat();
    put_header(0x40, MULTIBOOT_AOUT_KLUDGE | 1 << 9);
    add_kernel(0x400000, "");
    assert_false(load());
    assert_non_null(strstr(error, "unknown features (flags 0x200)"));
    put_header(0x40, 0);
    memcpy(physical(0x400000), file, file_size);
    assert_false(load());
    assert_non_null(strstr(error, "without addresses and is not ELF"));
    info.module[0].start = tally + PAGE_SIZE;
    assert_false(load());
    assert_non_null(strstr(error, "boot module 1 lies where Tally is"));

    machine(4); /* 1 MiB for everything, and the module in the way is larger than what is left */
    make_flat();
    add_kernel(0x1F0000, "");
    info.module[info.module_count++] = (struct module){0x10F000, 0xA0000, ""};
    assert_false(load());
    assert_non_null(strstr(error, "no room for a module of 0xa0000 bytes"));
}

/* Damaged at random. The file ends where RAM ends, so that reading behind it crashes. */

static void random_damage(void **state)
{
    (void)state;
    void (*const makes[])(void) = {make_elf32, make_elf64, make_flat, make_multiboot2, make_linux};
    static const u32 interesting[] = {0,          1,      0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                      0xFFFFF000, 0x1000, 0x100000,   0x3FF000,   0x200000};
    unsigned loaded = 0, rounds = 100000;
    srandom(5);
    machine(4);
    const struct memory_map clean = map;
    for (unsigned round = 0; round < rounds; round++) {
        makes[round % ARRAY_SIZE(makes)]();
        u64 header = round % ARRAY_SIZE(makes) == 4 ? 0x1F0 : 0, span = header ? 0x78 : 0x100;
        for (unsigned n = 1 + (unsigned)random() % 3; n > 0; n--) {
            u64 offset = header + (u64)random() % span;
            if (random() % 2)
                file[offset] = (u8)random();
            else
                put32(align_down(offset, 4), interesting[(u64)random() % ARRAY_SIZE(interesting)]);
        }
        if (random() % 8 == 0)
            file_size = (u64)random() % file_size;
        map = clean;
        info.module_count = 0;
        add_kernel(tally - file_size, "command line");
        add_module(0x180000, "initrd", 6, "words");
        if (!load()) {
            assert_true(strlen(error) > 15 && strlen(error) < sizeof(error) - 1);
            continue;
        }
        loaded++;
        assert_true(memory_map_is_ram(&map, start.entry, 1));
        if (start.eax)
            check_told();
    }
    assert_in_range(loaded, rounds / 10, rounds - rounds / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot_guests),
        cmocka_unit_test(sizes_of_memory),
        cmocka_unit_test(acpi_and_framebuffer),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(linux_guest),
        cmocka_unit_test(linux_with_initrds),
        cmocka_unit_test(linux_elsewhere),
        cmocka_unit_test(linux_on_uefi),
        cmocka_unit_test(refusals),
        cmocka_unit_test(other_refusals),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
