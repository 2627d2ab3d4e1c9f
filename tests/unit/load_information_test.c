// What multiboot guests are told of the machine, and of themselves.
// link: tests/unit/load_machine.c
#include "load_machine.h"

#include <string.h>

/* What the boot loader told goes on to the guest: every tag to version 2, to version 1 what it has.
 */

static void tell_tag(u32 type, u32 size)
{
    static u8 tags[MULTIBOOT2_TAG_TYPES][1024] __attribute__((aligned(8)));
    struct multiboot2_tag *tag = (struct multiboot2_tag *)tags[type];
    for (u32 i = 0; i < size; i++)
        tags[type][i] = (u8)(i * 5 + type);
    *tag = (struct multiboot2_tag){type, size};
    info.tag[type] = tag;
}

static void tell_all_tags(void)
{
    static const struct {
        u32 type, size;
    } all[] = {
        {MULTIBOOT2_TAG_BOOTDEV, 20},  {MULTIBOOT2_TAG_VBE, 784},     {MULTIBOOT2_TAG_APM, 28},
        {MULTIBOOT2_TAG_EFI32, 12},    {MULTIBOOT2_TAG_EFI64, 16},    {MULTIBOOT2_TAG_SMBIOS, 47},
        {MULTIBOOT2_TAG_ACPI_OLD, 28}, {MULTIBOOT2_TAG_ACPI_NEW, 44}, {MULTIBOOT2_TAG_NETWORK, 301},
        {MULTIBOOT2_TAG_EFI32_IH, 12}, {MULTIBOOT2_TAG_EFI64_IH, 16},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        tell_tag(all[i].type, all[i].size);
    u32 device[] = {0x80, 0, ~0u};
    memcpy((u8 *)info.tag[MULTIBOOT2_TAG_BOOTDEV] + 8, device, sizeof(device));
}

static void check_tag(u32 type)
{
    assert_non_null(told.tag[type]);
    assert_memory_equal(told.tag[type], info.tag[type], info.tag[type]->size);
}

static void tags_go_on(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        machine(64);
        (second ? make_multiboot2 : make_elf32)();
        tell_all_tags();
        add_kernel(0x400000, "");
        assert_true(load());
        check_told();
        for (u32 type = 0; type < MULTIBOOT2_TAG_TYPES; type++) {
            bool in_fields = type == MULTIBOOT2_TAG_BOOTDEV || type == MULTIBOOT2_TAG_VBE ||
                             type == MULTIBOOT2_TAG_APM;
            if (info.tag[type] && (second || in_fields))
                check_tag(type);
            else
                assert_null(told.tag[type]);
        }
    }
}

/* Tally's memory is reserved in EFI's map: a descriptor before it, one in which it lies, one
 * behind. */
static void efi_map(void **state)
{
    (void)state;
    machine(64);
    make_multiboot2();
    static struct {
        struct multiboot2_efi_mmap map;
        struct {
            struct efi_memory_descriptor d;
            u64 more;
        } entry[3];
    } efi = {{{MULTIBOOT2_TAG_EFI_MMAP, sizeof(efi)}, 48, 1},
             {{{7, 0, MIB, 0, 16, 0xF}, 1},
              {{7, 0, 0, 0, 0, 0xF}, 2},
              {{4, 0, 64 * MIB, 0, 1, 0xF}, 3}}};
    efi.entry[1].d.start = tally - 0x5000;
    efi.entry[1].d.pages = 5 + TALLY_SIZE / PAGE_SIZE + 7;
    efi.entry[2].d.start = tally + TALLY_SIZE + 0x7000;
    info.tag[MULTIBOOT2_TAG_EFI_MMAP] = &efi.map.tag;
    add_kernel(0x400000, "");
    assert_true(load());
    check_told();
    const struct multiboot2_efi_mmap *seen = (const void *)told.tag[MULTIBOOT2_TAG_EFI_MMAP];
    assert_int_equal(seen->tag.size, sizeof(efi) + 2 * 48);
    assert_int_equal(seen->descr_size, 48);
    static const u32 types[] = {7, 7, EFI_RESERVED_MEMORY_TYPE, 7, 4};
    u64 starts[] = {MIB, tally - 0x5000, tally, tally + TALLY_SIZE, tally + TALLY_SIZE + 0x7000};
    u64 pages[] = {16, 5, TALLY_SIZE / PAGE_SIZE, 7, 1}, more[] = {1, 2, 2, 2, 3};
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        struct efi_memory_descriptor d;
        const u8 *at = (const u8 *)(seen + 1) + i * 48;
        memcpy(&d, at, sizeof(d));
        assert_int_equal(d.type, types[i]);
        assert_int_equal(d.start, starts[i]);
        assert_int_equal(d.pages, pages[i]);
        assert_memory_equal(at + sizeof(d), &more[i], 8);
    }
}

/* Sections: one that a segment loads, two that none does, one without bytes. */
static void sections(void **state)
{
    (void)state;
    static const u32 headers[][10] = {
        {0},
        {1, 1, 6, 0xC0100000, 0x1000, 0x2000, 0, 0, 16, 0},
        {2, 2, 0, 0, 0x2F01, 0x31, 3, 0, 16, 16},
        {3, 3, 0, 0, 0x2F40, 0x123, 0, 0, 1, 0},
        {4, 8, 3, 0, 0x3200, 0x100000, 0, 0, 4, 0},
    };
    enum { COUNT = ARRAY_SIZE(headers), TABLE = 0x3124 };
    machine(64);
    make_elf32();
    file_size = TABLE + sizeof(headers);
    memcpy(file + TABLE, headers, sizeof(headers));
    put32(32, TABLE);
    put16(46, 40);
    put16(48, COUNT);
    put16(50, 3);
    add_kernel(0x0FF000, ""); /* in the way of its own image */
    assert_true(load());
    check_told();
    const struct multiboot_info *mbi = physical(start.ebx);
    assert_true(mbi->flags & MULTIBOOT_INFO_ELF_SHDR);
    assert_int_equal(mbi->elf_num, COUNT);
    assert_int_equal(mbi->elf_size, 40);
    assert_int_equal(mbi->elf_shndx, 3);
    const u32(*seen)[10] = physical(mbi->elf_addr);
    for (unsigned i = 0; i < COUNT; i++) {
        u32 copy[10];
        memcpy(copy, seen[i], 40);
        if (i == 2 || i == 3) {
            assert_int_equal(copy[3] % copy[8], 0);
            assert_memory_equal(physical(copy[3]), file + copy[4], copy[5]);
            copy[3] = 0;
        }
        assert_memory_equal(copy, headers[i], 40);
    }
    file[TABLE + 3 * 40 + 16] = 0xFF; /* the offset of the strings: behind the end */
    file[TABLE + 3 * 40 + 17] = 0xFF;
    machine(64);
    add_kernel(0x400000, "");
    assert_false(load());
    assert_string_equal(error, "the ELF file is truncated: section 3 lies beyond its end");
}

static void many_modules(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        machine(64);
        (second ? make_multiboot2 : make_elf32)();
        add_kernel(0x400000, "");
        for (u32 i = 1; i < MODULES_MAX; i++)
            add_module(0xF0000 + i * PAGE_SIZE, &i, sizeof(i), i % 2 ? "odd" : "even");
        assert_true(load());
        check_told();
        for (u32 i = 1; i < MODULES_MAX; i++)
            check_module(i - 1, (const u8 *)&i, sizeof(i));
    }
}

/* The load base address is the lowest of all segments, as GRUB has it, also of one without bytes.
 */
static void empty_segment(void **state)
{
    (void)state;
    static const u32 header[] = {MULTIBOOT2_HEADER_MAGIC,         0, 24,
                                 -(MULTIBOOT2_HEADER_MAGIC + 24), 0, 8};
    machine(64);
    make_elf32();
    put32(0x200, 0); /* no multiboot 1 */
    memcpy(file + 0x400, header, sizeof(header));
    put32(52 + 32, 1); /* what was a note */
    put32(52 + 32 + 12, 0x50000);
    put32(52 + 32 + 16, 0);
    put32(52 + 32 + 20, 0);
    add_kernel(0x400000, "");
    assert_true(load());
    u32 base = 0;
    for (const u8 *at = (const u8 *)physical(start.ebx) + 8; *(const u32 *)at;
         at += align_up(((const u32 *)at)[1], 8))
        if (*(const u32 *)at == MULTIBOOT2_TAG_LOAD_BASE_ADDR)
            base = ((const u32 *)at)[2];
    assert_int_equal(base, 0x50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_go_on),   cmocka_unit_test(efi_map),       cmocka_unit_test(sections),
        cmocka_unit_test(many_modules), cmocka_unit_test(empty_segment),
    };
    return cmocka_run_group_tests_name("load: information", tests, NULL, NULL);
}
