#include "load_machine.h"

#include <string.h>

#include "load/linux.h"

#include "arena.h"

/* In place of hv/load/bios_memory.asm and boot_sector.asm. */
__asm__(".section .rodata\n\t"
        ".globl bios_memory_code, bios_memory_answers, boot_sector_code, boot_sector_lines\n"
        "bios_memory_code: .fill 256, 1, 0\n"
        "bios_memory_answers:\n"
        "boot_sector_code: .byte 0xFB\n\t.fill 191, 1, 0\n"
        "boot_sector_lines: .byte 0\n\t"
        ".previous");

struct boot_info info, told;
struct memory_map map;
struct guest_start start;
char error[160], said[512];
u64 tally;
u8 file[FILE_MAX];
u64 file_size;

void *physical(u64 address)
{
    assert_true(address < ARENA_SIZE);
    return arena + address;
}

void machine(u64 megabytes)
{
    u64 ram_end = megabytes * MIB;
    tally = ram_end - TALLY_SIZE;
    arena_clear();
    arena_ram(0, MIB); /* as far as a kernel may write to what is no RAM */
    arena_ram(MIB, tally - MIB);
    memset(&info, 0, sizeof(info));
    info.command_line = "";
    info.loader = "GRUB 2.06";
    memory_map_add(&info.map, 0, 0x9F000, MEMORY_RAM);
    memory_map_add(&info.map, 0x9F000, 0x61000, MEMORY_RESERVED);
    memory_map_add(&info.map, MIB, ram_end - MIB, MEMORY_RAM);
    map = info.map;
    memory_map_set(&map, tally, TALLY_SIZE, MEMORY_RESERVED);
}

void add_module(u64 address, const void *contents, u64 size, const char *command_line)
{
    memcpy(physical(address), contents, size);
    info.module[info.module_count++] = (struct module){address, size, command_line};
}

static void said_sink(char c)
{
    size_t length = strlen(said);
    assert_true(length + 1 < sizeof(said));
    said[length] = c;
    said[length + 1] = 0;
}

bool load(void)
{
    error[0] = said[0] = 0;
    print_sink = said_sink;
    const char *problem = load_guest(&info, &map, tally, TALLY_SIZE, &start);
    if (problem)
        strncat(error, problem, sizeof(error) - 1);
    return !problem;
}

void add_kernel(u64 address, const char *command_line)
{
    add_module(address, file, file_size, command_line);
}

void put32(u64 offset, u32 value)
{
    memcpy(file + offset, &value, sizeof(value));
}

void put16(u64 offset, u16 value)
{
    memcpy(file + offset, &value, sizeof(value));
}

void new_file(u64 size)
{
    static u8 pattern[FILE_MAX];
    if (!pattern[0]) {
        for (u64 i = 0; i < FILE_MAX; i++)
            pattern[i] = (u8)(i * 31 + (i >> 8) * 7 + 1);
    }
    file_size = size;
    memcpy(file, pattern, size);
}

void put_header(u64 offset, u32 flags)
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

void make_elf32(void)
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

void make_elf64(void)
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
void make_flat(void)
{
    static const u32 fields[] = {0x100040, 0x100000, 0x100000 + 0x3100, 0x110000, 0x100020};
    new_file(0x3200);
    put_header(0x40, MULTIBOOT_AOUT_KLUDGE);
    memcpy(file + 0x40 + 12, fields, sizeof(fields));
}

void make_multiboot2(void)
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
void make_linux(void)
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

static void check_bytes(u64 address, u64 file_offset, u64 in_file, u64 in_memory)
{
    assert_memory_equal(physical(address), file + file_offset, in_file);
    for (u64 i = in_file; i < in_memory; i++)
        assert_int_equal(*(const u8 *)physical(address + i), 0);
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

void check_gdt(void)
{
    u64 code, data;
    memcpy(&code, physical(start.gdt_base + start.code_selector), 8);
    memcpy(&data, physical(start.gdt_base + start.data_selector), 8);
    assert_int_equal(code, 0x00CF9B000000FFFF);
    assert_int_equal(data, 0x00CF93000000FFFF);
    assert_int_equal(start.gdt_limit, 31);
}

void check_map(const struct memory_map *seen)
{
    assert_int_equal(seen->count, map.count);
    assert_memory_equal(seen->range, map.range, map.count * sizeof(map.range[0]));
}

void check_told(void)
{
    check_gdt();
    assert_null(boot_info_read(&told, start.eax, start.ebx));
    assert_string_equal(told.loader, info.loader);
    assert_string_equal(told.command_line, info.module[0].command_line);
    assert_int_equal(told.module_count, info.module_count - 1);
    check_map(&told.map);
}

void check_module(unsigned i, const u8 *contents, u64 size)
{
    assert_string_equal(told.module[i].command_line, info.module[i + 1].command_line);
    assert_int_equal(told.module[i].size, size);
    assert_int_equal(told.module[i].start % PAGE_SIZE, 0);
    assert_true(memory_map_is_ram(&map, told.module[i].start, size));
    assert_memory_equal(physical(told.module[i].start), contents, size);
}

const struct kind kinds[KINDS] = {
    {make_elf32, check_elf, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_elf64, check_elf, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_flat, check_flat, MULTIBOOT_BOOTLOADER_MAGIC},
    {make_multiboot2, check_flat, MULTIBOOT2_BOOTLOADER_MAGIC},
};
