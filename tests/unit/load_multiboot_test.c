// Multiboot guests get all into memory that they were given, and are told of it.
// link: tests/unit/load_machine.c
#include "load_machine.h"

#include <stdlib.h>
#include <string.h>

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
        info.efi = info.multiboot2 = efi;
        memcpy(info.rsdp, "RSD PTR ", 8);
        info.rsdp[15] = 2;
        boot_info_add_rsdp(&info);
        info.framebuffer.addr = 0xE0000000;
        info.framebuffer.width = 1024;
        info.framebuffer.type = MULTIBOOT_FRAMEBUFFER_RGB;
        info.framebuffer.color_info[0] = 16;
        info.framebuffer.tag =
            (struct multiboot2_tag){MULTIBOOT2_TAG_FRAMEBUFFER, 8 + FRAMEBUFFER_COMMON + 6};
        info.tag[MULTIBOOT2_TAG_FRAMEBUFFER] = &info.framebuffer.tag;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot_guests),
        cmocka_unit_test(sizes_of_memory),
        cmocka_unit_test(acpi_and_framebuffer),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests_name("load: multiboot", tests, NULL, NULL);
}
