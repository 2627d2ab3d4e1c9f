// Kernel files are damaged, by hand and at random: a refusal says why, and no byte behind the file
// is read.
// link: tests/unit/load_machine.c
#include "load_machine.h"

#include <stdlib.h>
#include <string.h>

#include "load/linux.h"

/* Refusals: one damage each, and the words that must be in the line. */

#define HEADER(field) (LINUX_HEADER_OFFSET + offsetof(struct linux_header, field))

static void make_packed(void)
{
    new_file(0x100);
    put16(0, 0x8B1F);
}

static void make_short_elf(void)
{
    new_file(60);
    put32(0, 0x464C457F);
    put_header(0x20, 0);
}

/* Without addresses of its own. */
static void make_elf_multiboot2(void)
{
    static const u32 tags[] = {MULTIBOOT2_HEADER_MAGIC,
                               0,
                               40,
                               -(MULTIBOOT2_HEADER_MAGIC + 40),
                               3,
                               12,
                               0x100020,
                               0, /* entry */
                               0,
                               8};
    make_elf32();
    put32(0x200, 0); /* no multiboot 1 */
    memcpy(file + 0x400, tags, sizeof(tags));
}

static void make_unknown_request(void)
{
    make_multiboot2();
    put32(0x40 + 24, 22);
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
    {make_elf32, 16, 2, 1, "type 1, it is no executable"},
    {make_elf32, 16, 2, 3, NULL}, /* ET_DYN, where it was linked */
    {make_elf32, 18, 2, 40, "machine 40"},
    {make_elf32, 42, 2, 31, "program headers of 31 bytes"},
    {make_elf32, 28, 4, 0x3200, "truncated: its program headers"},
    {make_elf32, 28, 4, 0xFFFFFFF0, "truncated: its program headers"},
    {make_elf32, 48, 2, 1, "section headers of 0 bytes"},
    {make_elf32, 46, 4, 40 | 350 << 16, "truncated: its section headers"},
    {make_elf32, 44, 2, 0xFFFF, "truncated: its program headers"},
    {make_elf32, 44, 2, 0, "no segment to load"},
    {make_elf32, 0x3122, 0, 0, "truncated: segment 2"},
    {make_elf32, 52 + 4, 4, 0xFFFFFFF0, "truncated: segment 0"},
    {make_elf32, 52 + 20, 4, 0x1FFF, "segment 0 has more bytes in the file"},
    {make_elf32, 52 + 12, 4, 0x106000, "segments overlap at 0x108000"},
    {make_elf32, 52 + 12, 4, 0xC0000000, "needs 0x4000 bytes at 0xc0000000, which is not all RAM"},
    {make_elf32, 52 + 12, 4, 0xFFFFE000, "beyond 4 GiB"},
    {make_elf32, 52 + 12, 4, 0x3DFE000, "at 0x3dfe000, where Tally is"},
    {make_elf32, 52 + 12, 4, 0x500, NULL}, /* over what the BIOS has there */
    {make_elf32, 24, 4, 0x100010, NULL},   /* a physical entry is right as well */
    {make_elf32, 24, 4, 0xC0100000, NULL},
    {make_elf32, 24, 4, 0xC0108122, NULL},
    {make_elf32, 24, 4, 0xC0108123, "entry point 0xc0108123 is in no segment"},
    {make_elf32, 24, 4, 0xC00FFFFF, "entry point 0xc00fffff is in no segment"},
    {make_elf32, 0x3123, 0, 0, NULL}, /* just whole */
    {make_elf32, 24, 4, 0x120000, "entry point 0x120000 is in no segment"},
    {make_elf32, 0x200, 4, 0, "ELF file without a multiboot header"},
    {make_elf32, 0x204, 4, 1, "ELF file without a multiboot header"}, /* bad checksum */
    {make_short_elf, 4, 1, 1, "no whole header"},
    {make_elf64, 64 + 24 + 4, 4, 1, "beyond 4 GiB"},
    {make_elf64, 64 + 40 + 4, 4, 1, "beyond 4 GiB"},
    {make_elf64, 64 + 8 + 4, 4, 0xFFFFFFFF, "truncated: segment 0"},
    {make_elf64, 32 + 4, 4, 0xFFFFFFFF, "truncated: its program headers"},
    {make_flat, 0x4C, 4, 0x200000, "load_addr 0x100000 does not suit"},
    {make_flat, 0x50, 4, 0x100041, "entry point 0x100020 is in no segment"},
    {make_flat, 0x54, 4, 0xFFFFF, "addresses are not in order"},
    {make_flat, 0x54, 4, 0x110001, "addresses are not in order"},
    {make_flat, 0x54, 4, 0x110000, NULL},
    {make_flat, 0x54, 4, 0x100000, NULL}, /* nothing but BSS */
    {make_flat, 0x54, 4, 0, NULL},        /* the whole file */
    {make_flat, 0x58, 4, 0x100001, "addresses are not in order"},
    {make_flat, 0x58, 4, 0, NULL}, /* no BSS */
    {make_flat, 0x5C, 4, 0x110000, "entry point 0x110000 is in no segment"},
    {make_flat, 0x40, 4, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_flat, 11, 0, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_packed, 0x80, 2, 0, "packed by gzip"},
    {make_flat, 0, 0, 0, "neither a multiboot kernel nor a Linux bzImage"},
    {make_multiboot2, 0x40 + 24, 4, 21, NULL},
    {make_multiboot2, 0x40 + 24, 4, 22, "requires unknown information (tag 22)"},
    {make_multiboot2, 0x40 + 24, 4, 13, "requires SMBIOS tables (tag 13)"},
    {make_multiboot2, 0x40 + 20, 4, 7, "tag of impossible size"},
    {make_multiboot2, 0x40 + 20, 4, 0xFFFFFFFF, "tag of impossible size"},
    {make_multiboot2, 0x40 + 36, 4, 20, "tag 2 that is too short"},
    {make_multiboot2, 0x40 + 56, 2, 4, "no entry address"},
    {make_multiboot2, 0x40 + 72, 4, 7, NULL}, /* there are no boot services to go on */
    {make_multiboot2, 0x40 + 72, 4, 11, "requires unknown features (tag 11)"},
    {make_multiboot2, 0x40 + 80, 2, 6, "has no end"},
    {make_multiboot2, 0x90, 0, 0, "truncated within its multiboot 2 header"},
    {make_unknown_request, 0x40 + 18, 2, 1, NULL}, /* optional */
    {make_unknown_request, 0x40 + 18, 2, 2, "requires unknown information (tag 22)"},
    {make_elf_multiboot2, 0x418, 4, 0x100010, NULL},
    {make_elf_multiboot2, 0x418, 4, 0x120000, "entry point 0x120000 is in no segment"},
    {make_elf_multiboot2, 0x3122, 0, 0, "truncated: segment 2"},
    {make_elf_multiboot2, 0, 4, 0, "without addresses and is not ELF"},
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
    make_flat();
    put_header(0x40, MULTIBOOT_AOUT_KLUDGE | 1 << 9);
    add_kernel(0x400000, "");
    assert_false(load());
    assert_non_null(strstr(error, "unknown features (flags 0x200)"));
    put_header(0x40, 0);
    memcpy(physical(0x400000), file, file_size);
    assert_false(load());
    assert_non_null(strstr(error, "without addresses and is not ELF"));

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
        assert_true(start.entry < MIB || memory_map_is_ram(&map, start.entry, 1));
        if (start.eax)
            check_told();
    }
    assert_in_range(loaded, rounds / 10, rounds - rounds / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(other_refusals),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("load: refusals", tests, NULL, NULL);
}
