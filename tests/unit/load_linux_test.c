// Linux gets what its boot protocol promises.
// link: tests/unit/load_machine.c
#include "load_machine.h"

#include <string.h>

#include "load/linux.h"

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
    assert_int_not_equal(start.esi, 0); /* the zero page */
    assert_int_equal(params()->header.ramdisk_size, 0);
    assert_int_equal(params()->screen_info.orig_video_is_vga, LINUX_VIDEO_VGA_TEXT);
    assert_int_equal(params()->screen_info.orig_video_cols, 80);
    assert_int_equal(params()->screen_info.orig_video_lines, 25);
    assert_int_equal(params()->screen_info.orig_video_ega_bx, 3);
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
    assert_string_equal(error, "does not fit: needs 0x10000 bytes at 0x100000, which is not "
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
    assert_int_equal(screen->color[0].pos, 16);
    assert_int_equal(screen->capabilities, LINUX_SCREEN_64BIT_BASE);
    assert_int_equal(screen->lfb_depth, 32);
    assert_int_equal(screen->lfb_linelength, 4096);

    machine(64);
    add_kernel(0x1000000, "");
    info.efi = true; /* but no RSDP was told */
    info.framebuffer.addr = 0x80000000;
    info.framebuffer.type = MULTIBOOT_FRAMEBUFFER_RGB;
    assert_true(load());
    assert_int_equal(params()->acpi_rsdp_addr, 0);
    assert_int_equal(params()->screen_info.capabilities, 0);
}

/* `mem=` is the end of memory for the initrd, too: whole words, in C's notation. */
static void mem_option(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        u64 end; /* 0: that of memory */
    } cases[] = {
        {"mem=32M", 32 * MIB},
        {"quiet mem=0x1000000 x", 16 * MIB},
        {"mem=16384k", 16 * MIB},
        {"mem=0100000000", 16 * MIB},
        {"mem=64M mem=8M", 8 * MIB},
        {"xmem=32M", 0},
        {"mem=nopentium", 0},
        {"a=mem=32M", 0},
        {"mem=1G", 0},
        {"mem=", 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        machine(64);
        make_linux();
        add_kernel(0x2800000, cases[i].line);
        add_module(0x3000000, "initrd", 6, "");
        assert_true(load());
        u64 end = cases[i].end;
        assert_int_equal(params()->header.ramdisk_image, end ? end - PAGE_SIZE : 0x3000000);
        assert_memory_equal(physical(params()->header.ramdisk_image), "initrd", 6);
    }
}

/* A map for which the zero page has no room goes on in the set-up data. */
static void many_ranges(void **state)
{
    (void)state;
    machine(64);
    make_linux();
    for (unsigned i = 0; i < 300; i++)
        memory_map_set(&map, GIB + i * PAGE_SIZE, PAGE_SIZE, i % 2 ? MEMORY_ACPI_NVS : MEMORY_BAD);
    add_kernel(0x1000000, "");
    assert_true(load());
    struct memory_map seen = {0};
    const struct linux_boot_params *p = params();
    const struct linux_setup_data *more = physical(p->header.setup_data);
    assert_int_equal(p->e820_entries, LINUX_E820_MAX);
    assert_int_equal(more->type, LINUX_SETUP_E820_EXT);
    assert_int_equal(more->next, 0);
    for (unsigned i = 0; i < p->e820_entries; i++)
        memory_map_add(&seen, p->e820_table[i].addr, p->e820_table[i].size, p->e820_table[i].type);
    const struct linux_e820_entry *entry = (const void *)(more + 1);
    for (unsigned i = 0; i < more->length / sizeof(*entry); i++)
        memory_map_add(&seen, entry[i].addr, entry[i].size, entry[i].type);
    check_map(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_guest),     cmocka_unit_test(linux_with_initrds),
        cmocka_unit_test(linux_elsewhere), cmocka_unit_test(linux_on_uefi),
        cmocka_unit_test(mem_option),      cmocka_unit_test(many_ranges),
    };
    return cmocka_run_group_tests_name("load: Linux", tests, NULL, NULL);
}
