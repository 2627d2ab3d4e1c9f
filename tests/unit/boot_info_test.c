/* What the boot loader tells, from information made by hand, and from damaged information. */
#include "platform/boot_info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "host/paging.h"

#define INFO 0x9000ull
#define TOO_LONG                                                                                   \
    "the boot loader's information is too long: more than 64 KiB with all command lines"

static struct boot_info info;

void *physical(u64 address)
{
    assert_true(address < ARENA_SIZE);
    return arena + address;
}

/* Writes a string at *end and moves *end behind it. */
static u32 put(u64 *end, const void *what, size_t size)
{
    u64 place = align_up(*end, 8);
    memcpy(arena + place, what, size);
    *end = place + size;
    return (u32)place;
}

static u32 put_text(u64 *end, const char *text)
{
    return put(end, text, strlen(text) + 1);
}

static u64 make_1(const char *loader)
{
    u64 end = INFO + sizeof(struct multiboot_info);
    struct multiboot_module modules[] = {
        {0x200000, 0x234567, put_text(&end, "guest.elf a b"), 0},
        {0x300000, 0x300000, 0, 0},
        {0x400000, 0x500000, put_text(&end, "initrd"), 0},
    };
    struct multiboot_mmap_entry map[] = {
        {20, 0, 0x9FC00, MEMORY_RAM},
        {20, 0x9FC00, 0x400, MEMORY_RESERVED},
        {20, MIB, 127 * MIB, MEMORY_RAM},
        {20, 0xFEC00000, 0x1000, 77},
    };
    struct multiboot_info mbi = {
        .flags = MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODS | MULTIBOOT_INFO_MEM_MAP |
                 MULTIBOOT_INFO_BOOT_LOADER_NAME | MULTIBOOT_INFO_FRAMEBUFFER,
        .cmdline = put_text(&end, "tally.elf  exits=all stats=json"),
        .mods_count = 3,
        .mods_addr = put(&end, modules, sizeof(modules)),
        .mmap_length = sizeof(map),
        .mmap_addr = put(&end, map, sizeof(map)),
        .boot_loader_name = put_text(&end, loader),
        .framebuffer_addr = 0xE0000000,
        .framebuffer_width = 800,
        .framebuffer_bpp = 24,
        .framebuffer_type = MULTIBOOT_FRAMEBUFFER_RGB,
    };
    memcpy(arena + INFO, &mbi, sizeof(mbi));
    memcpy(arena + INFO + 112, (u8[]){16, 8, 8, 8, 0, 8}, 6); /* where GRUB 2.06 puts it */
    return end;
}

static void put_tag(u64 *end, u32 type, const void *body, u32 size)
{
    struct multiboot2_tag tag = {type, (u32)sizeof(tag) + size};
    put(end, &tag, sizeof(tag));
    memcpy(arena + *end, body, size);
    *end += size;
}

static u64 make_2(void)
{
    u64 end = INFO + sizeof(struct multiboot2_info);
    struct {
        u32 start, end;
        char text[8];
    } module = {0x200000, 0x234567, "a b"};
    struct {
        u32 size, version;
        struct multiboot2_mmap_entry entry[3];
    } map = {24, 0, {{0, 0xA0000, MEMORY_RAM, 0}, {MIB, GIB, MEMORY_RAM, 0}, {GIB, MIB, 4, 0}}};
    u8 rsdp[36] = "RSD PTR old", rsdp2[36] = "RSD PTR new";
    struct multiboot2_framebuffer fb = {.addr = 0x100000000, .width = 1024, .bpp = 32, .type = 1};
    put_tag(&end, MULTIBOOT2_TAG_CMDLINE, "exits=kvm", 10);
    put_tag(&end, MULTIBOOT2_TAG_BOOT_LOADER_NAME, "GRUB 2.06", 10);
    put_tag(&end, MULTIBOOT2_TAG_MODULE, &module, sizeof(module));
    put_tag(&end, MULTIBOOT2_TAG_MMAP, &map, sizeof(map));
    put_tag(&end, MULTIBOOT2_TAG_EFI_MMAP, "48      ", 8);
    put_tag(&end, MULTIBOOT2_TAG_EFI_BS, "", 0);
    put_tag(&end, MULTIBOOT2_TAG_ACPI_NEW, rsdp2, sizeof(rsdp2));
    put_tag(&end, MULTIBOOT2_TAG_ACPI_OLD, rsdp, 20);
    put_tag(&end, MULTIBOOT2_TAG_FRAMEBUFFER, (u8 *)&fb + 8, sizeof(fb) - 8);
    put_tag(&end, 99, "unknown", 7);
    put_tag(&end, MULTIBOOT2_TAG_END, "", 0);
    struct multiboot2_info header = {(u32)(end - INFO), 0};
    memcpy(arena + INFO, &header, sizeof(header));
    return end;
}

static int new_arena(void **state)
{
    (void)state;
    arena_clear();
    arena_ram(0, 5 * GIB);
    return 0;
}

static void multiboot_1(void **state)
{
    (void)state;
    make_1("GRUB 2.06");
    assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
    assert_string_equal(info.command_line, "tally.elf  exits=all stats=json");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.module_count, 3);
    assert_int_equal(info.module[0].start, 0x200000);
    assert_int_equal(info.module[0].size, 0x34567);
    assert_string_equal(info.module[0].command_line, "guest.elf a b");
    assert_string_equal(info.module[1].command_line, "");
    assert_int_equal(info.map.count, 4);
    assert_true(memory_map_is_ram(&info.map, MIB, 127 * MIB));
    assert_int_equal(info.map.range[3].type, 77);
    assert_int_equal(info.framebuffer.addr, 0xE0000000);
    assert_int_equal(info.framebuffer.width, 800);
    assert_int_equal(info.framebuffer.bpp, 24);
    assert_int_equal(info.framebuffer.color_info[0], 16);
    assert_int_equal(info.framebuffer.color_info[5], 8);
    assert_false(info.efi);
    assert_false(info.boot_services);
}

static void others_put_file_names_first(void **state)
{
    (void)state;
    static const char *const loaders[] = {"qemu", "", "GNU GRUB 0.97", "SYSLINUX 6.04"};
    for (unsigned i = 0; i < ARRAY_SIZE(loaders); i++) {
        make_1(loaders[i]);
        assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
        assert_string_equal(info.command_line, "exits=all stats=json");
        assert_string_equal(info.module[0].command_line, "a b");
        assert_string_equal(info.module[1].command_line, "");
        assert_string_equal(info.module[2].command_line, "");
    }
    make_1("Limine 5.0"); /* none is there, as the first word is an option */
    strcpy((char *)arena + ((struct multiboot_info *)(arena + INFO))->cmdline,
           "exits=all stats=json");
    assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
    assert_string_equal(info.command_line, "exits=all stats=json");
    assert_string_equal(info.module[0].command_line, "guest.elf a b");
}

/* What version 2 has, too, in its form: drive 80H, its first partition; VBE and APM as they are. */
static void multiboot_1_as_tags(void **state)
{
    (void)state;
    make_1("GRUB 2.06");
    struct multiboot_info *mbi = (struct multiboot_info *)(arena + INFO);
    mbi->flags |= MULTIBOOT_INFO_BOOTDEV | MULTIBOOT_INFO_VBE_INFO | MULTIBOOT_INFO_APM_TABLE;
    mbi->boot_device = 0x8000FFFF;
    mbi->apm_table = mbi->vbe_control_info = 0x10000;
    mbi->vbe_mode_info = 0x10200;
    mbi->vbe_mode = 0x118;
    for (unsigned i = 0; i < 0x300; i++)
        arena[0x10000 + i] = (u8)(i * 7 + (i >> 8));
    assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
    const struct multiboot2_bootdev *device = (const void *)info.tag[MULTIBOOT2_TAG_BOOTDEV];
    const struct multiboot2_vbe *vbe = (const void *)info.tag[MULTIBOOT2_TAG_VBE];
    assert_int_equal(device->tag.size, 20);
    assert_int_equal(device->biosdev, 0x80);
    assert_int_equal(device->slice, 0);
    assert_int_equal(device->part, ~0u);
    assert_int_equal(vbe->tag.size, 784);
    assert_int_equal(vbe->mode, 0x118);
    assert_memory_equal(vbe->control_info, arena + 0x10000, 512);
    assert_memory_equal(vbe->mode_info, arena + 0x10200, 256);
    assert_int_equal(info.tag[MULTIBOOT2_TAG_APM]->size, 28);
    assert_memory_equal(info.tag[MULTIBOOT2_TAG_APM] + 1, arena + 0x10000, 20);
    assert_int_equal(info.tag[MULTIBOOT2_TAG_FRAMEBUFFER]->size, 38);
}

static void multiboot_1_without_a_map(void **state)
{
    (void)state;
    struct multiboot_info mbi = {
        .flags = MULTIBOOT_INFO_MEMORY, .mem_lower = 639, .mem_upper = 64 * 1024};
    u64 end = INFO + sizeof(mbi);
    mbi.cmdline = put_text(&end, "tally.elf never=told"); /* nor is the rest */
    mbi.framebuffer_type = MULTIBOOT_FRAMEBUFFER_RGB;
    mbi.framebuffer_width = 800;
    memcpy(arena + INFO, &mbi, sizeof(mbi));
    assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
    assert_true(memory_map_is_ram(&info.map, 0, 639 * KIB));
    assert_int_equal(memory_map_top_of_ram(&info.map), 65 * MIB);
    assert_string_equal(info.command_line, "");
    assert_int_equal(info.framebuffer.width, 0);
    memset(arena + INFO, 0, sizeof(mbi));
    assert_string_equal(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO),
                        "the boot loader gave no memory map");
}

static void multiboot_2(void **state)
{
    (void)state;
    make_2();
    assert_null(boot_info_read(&info, MULTIBOOT2_BOOTLOADER_MAGIC, INFO));
    assert_string_equal(info.command_line, "exits=kvm");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.module_count, 1);
    assert_int_equal(info.module[0].size, 0x34567);
    assert_string_equal(info.module[0].command_line, "a b");
    assert_int_equal(info.map.count, 3);
    assert_int_equal(info.map.range[2].base, GIB); /* the higher type won */
    assert_string_equal((const char *)info.rsdp, "RSD PTR new");
    assert_int_equal(info.tag[MULTIBOOT2_TAG_ACPI_OLD]->size, 28);
    assert_string_equal((const char *)(info.tag[MULTIBOOT2_TAG_ACPI_OLD] + 1), "RSD PTR old");
    assert_null(info.tag[MULTIBOOT2_TAG_BOOTDEV]);
    assert_null(info.tag[MULTIBOOT2_TAG_EFI_BS]);
    assert_true(info.boot_services);
    assert_true(info.efi);
    assert_int_equal(info.framebuffer.addr, 0x100000000);
    assert_int_equal(info.framebuffer.bpp, 32);
}

static void wrong_loader(void **state)
{
    (void)state;
    assert_non_null(strstr(boot_info_read(&info, 0x12345678, INFO), "multiboot"));
}

static void long_command_lines(void **state)
{
    (void)state;
    struct multiboot_info mbi = {.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE |
                                          MULTIBOOT_INFO_BOOT_LOADER_NAME,
                                 .boot_loader_name = 0xF000,
                                 .cmdline = 0x10000};
    memcpy(arena + 0xF000, "GRUB 2", 7); /* 8 bytes with the alignment */
    memcpy(arena + INFO, &mbi, sizeof(mbi));
    memset(arena + 0x10000, 'x', BOOT_INFO_POOL - 9);
    assert_null(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO));
    assert_int_equal(strlen(info.command_line), BOOT_INFO_POOL - 9);
    memset(arena + 0x10000, 'x', BOOT_INFO_POOL);
    assert_string_equal(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO), TOO_LONG);
}

/* What is wrong should be seen on the screen, so the screen is found nevertheless. */
static void screen_of_a_refusal(void **state)
{
    (void)state;
    u64 end = INFO + sizeof(struct multiboot2_info);
    u32 module[2] = {0x200000, 0x200000};
    struct {
        u32 size, version;
        struct multiboot2_mmap_entry entry[1];
    } map = {24, 0, {{0, 0xA0000, MEMORY_RAM, 0}}};
    struct multiboot2_framebuffer fb = {.addr = 0x100000000, .width = 1024};
    for (unsigned i = 0; i < MODULES_MAX + 1; i++)
        put_tag(&end, MULTIBOOT2_TAG_MODULE, module, sizeof(module));
    put_tag(&end, MULTIBOOT2_TAG_MMAP, &map, sizeof(map));
    put_tag(&end, MULTIBOOT2_TAG_EFI64, "12345678", 8);
    put_tag(&end, MULTIBOOT2_TAG_FRAMEBUFFER, (u8 *)&fb + 8, sizeof(fb) - 8);
    put_tag(&end, MULTIBOOT2_TAG_END, "", 0);
    struct multiboot2_info header = {(u32)(end - INFO), 0};
    memcpy(arena + INFO, &header, sizeof(header));
    assert_string_equal(boot_info_read(&info, MULTIBOOT2_BOOTLOADER_MAGIC, INFO),
                        "the boot loader gave more than 256 modules");
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.map.count, 1);
    assert_true(info.efi);

    make_1("GRUB 2.06");
    struct multiboot_info *mbi = (struct multiboot_info *)(arena + INFO);
    memset(arena + 0x10000, 'x', BOOT_INFO_POOL);
    mbi->cmdline = 0x10000;
    assert_string_equal(boot_info_read(&info, MULTIBOOT_BOOTLOADER_MAGIC, INFO), TOO_LONG);
    assert_int_equal(info.framebuffer.width, 800);
    assert_int_equal(info.map.count, 4);
}

static void damaged_information(void **state)
{
    (void)state;
    srandom(3);
    unsigned good = 0;
    for (unsigned i = 0; i < 100000; i++) {
        bool second = i % 2;
        u64 end = second ? make_2() : make_1(i % 4 ? "qemu" : "GRUB");
        for (unsigned n = 1 + (unsigned)random() % 4; n > 0; n--)
            arena[INFO + (u64)random() % (end - INFO)] = (u8)(random() % 3   ? random()
                                                              : random() % 2 ? 0
                                                                             : 0xFF);
        u32 magic = second ? MULTIBOOT2_BOOTLOADER_MAGIC : MULTIBOOT_BOOTLOADER_MAGIC;
        const char *error = boot_info_read(&info, magic, INFO);
        good += !error;
        if (error)
            assert_true(strlen(error) > 10);
        for (unsigned m = 0; !error && m < info.module_count; m++)
            assert_true(strlen(info.module[m].command_line) < BOOT_INFO_POOL);
    }
    assert_in_range(good, 20000, 99000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(multiboot_1, new_arena),
        cmocka_unit_test_setup(others_put_file_names_first, new_arena),
        cmocka_unit_test_setup(multiboot_1_as_tags, new_arena),
        cmocka_unit_test_setup(multiboot_1_without_a_map, new_arena),
        cmocka_unit_test_setup(multiboot_2, new_arena),
        cmocka_unit_test_setup(wrong_loader, new_arena),
        cmocka_unit_test_setup(long_command_lines, new_arena),
        cmocka_unit_test_setup(screen_of_a_refusal, new_arena),
        cmocka_unit_test_setup(damaged_information, new_arena),
    };
    return cmocka_run_group_tests_name("boot_info", tests, NULL, NULL);
}
