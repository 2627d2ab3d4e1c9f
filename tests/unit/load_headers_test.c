// What multiboot headers ask for: where to be, which screen, which part of the file.
// link: tests/unit/load_machine.c
#include "load_machine.h"

#include <string.h>

/* Relocation: where, by range, alignment and preference; the entry goes with it. */
static void relocation(void **state)
{
    (void)state;
    static const struct {
        u32 min, max, align, preference, place; /* place 0: refused */
        const char *words;
    } cases[] = {
        {0x200000, 0x3000000, 0x1000, 2, 0x2FF0000, NULL},
        {0x200001, 0x3000000, 0x100000, 1, 0x300000, NULL},
        {0x200001, 0x3000000, 0, 1, 0x200001, NULL},
        {0x200000, 0x3000000, 0x1000, 0, 0x200000, NULL},
        {0, 0xFFFFFFFF, 0x1000, 2, 0x3DF0000, NULL}, /* below Tally */
        {0, 0xFFFFFFFF, 0x1000, 1, 0x1000, NULL},
        {0x3DF1000, 0x3E01000, 0x1000, 1, 0, "no room for the kernel's 0x10000 bytes"},
        {0x200000, 0x200FFF, 0x1000, 1, 0, "no room for the kernel's 0x10000 bytes"},
        {0x200000, 0x3000000, 0x1001, 1, 0, "impossible alignment of 0x1001"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        machine(64);
        make_multiboot2();
        u32 tags[] = {MULTIBOOT2_HEADER_TAG_RELOCATABLE,
                      24,
                      cases[i].min,
                      cases[i].max,
                      cases[i].align,
                      cases[i].preference,
                      0,
                      8};
        put32(0x40 + 8, 72 + sizeof(tags));
        put32(0x40 + 12, -(MULTIBOOT2_HEADER_MAGIC + 72 + (u32)sizeof(tags)));
        memcpy(file + 0x40 + 72, tags, sizeof(tags));
        add_kernel(0x400000, "");
        bool loaded = load();
        if (!cases[i].place) {
            assert_false(loaded);
            assert_non_null(strstr(error, cases[i].words));
            continue;
        }
        if (!loaded)
            fail_msg("%u: %s", i, error);
        assert_memory_equal(physical(cases[i].place), file, 0x3100);
        assert_int_equal(start.entry, cases[i].place + 0x20);
        u32 base = 0;
        for (const u8 *at = (const u8 *)physical(start.ebx) + 8; *(const u32 *)at;
             at += align_up(((const u32 *)at)[1], 8))
            if (*(const u32 *)at == MULTIBOOT2_TAG_LOAD_BASE_ADDR)
                base = ((const u32 *)at)[2];
        assert_int_equal(base, cases[i].place);
    }
}

/* The screen is what it was when Tally started; a header that wants another is told so. */
static void video(void **state)
{
    (void)state;
    static const u32 mode[] = {0, 1024, 768, 32};
    machine(64);
    make_elf32();
    put_header(0x200, MULTIBOOT_VIDEO_MODE);
    memcpy(file + 0x200 + 32, mode, sizeof(mode));
    add_kernel(0x400000, "");
    assert_true(load());
    assert_non_null(strstr(said, "asks for a video mode (1024x768x32"));
    assert_non_null(strstr(said, "it gets text"));
    info.framebuffer = (struct multiboot2_framebuffer){.addr = 0xE0000000,
                                                       .type = MULTIBOOT_FRAMEBUFFER_RGB,
                                                       .width = 1024,
                                                       .height = 768,
                                                       .bpp = 24};
    assert_true(load());
    assert_non_null(strstr(said, "it gets the frame buffer"));
    info.framebuffer.bpp = 32;
    assert_true(load());
    assert_string_equal(said, "");
    put32(0x220, 1); /* text is preferred */
    put32(0x224, 80);
    memcpy(physical(0x400000), file, file_size);
    assert_true(load());
    assert_string_equal(said, "");
    put32(0x220, 2);
    memcpy(physical(0x400000), file, file_size);
    assert_false(load());
    assert_non_null(strstr(error, "unknown video modes (type 2)"));
}

static void consoles(void **state)
{
    (void)state;
    static const struct {
        u32 flags;
        bool graphical;
        const char *words;
    } cases[] = {
        {MULTIBOOT2_CONSOLE_REQUIRED | MULTIBOOT2_CONSOLE_TEXT_SUPPORTED, false, NULL},
        {MULTIBOOT2_CONSOLE_REQUIRED, false, "requires a graphical console"},
        {MULTIBOOT2_CONSOLE_REQUIRED | MULTIBOOT2_CONSOLE_TEXT_SUPPORTED, true,
         "requires a text console"},
        {0, true, NULL},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        machine(64);
        make_multiboot2();
        u32 tag[] = {MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS, 12, cases[i].flags, 0};
        memcpy(file + 0x40 + 16, tag, sizeof(tag)); /* in the place of the request */
        add_kernel(0x400000, "");
        if (cases[i].graphical)
            info.framebuffer.type = MULTIBOOT_FRAMEBUFFER_RGB;
        assert_int_equal(load(), !cases[i].words);
        if (cases[i].words)
            assert_non_null(strstr(error, cases[i].words));
    }
}

/* A load_addr of -1: from the file's beginning. What the file lacks is zeroes, and a line says so.
 */
static void address_fields(void **state)
{
    (void)state;
    machine(64);
    make_multiboot2();
    put32(0x40 + 44, ~0u);
    add_kernel(0x400000, "");
    assert_true(load());
    assert_memory_equal(physical(0x100000), file, 0x3100);
    machine(64);
    make_flat();
    put32(0x54, 0x108000); /* load_end_addr */
    add_kernel(0x400000, "");
    memset(physical(0x100000), 0xAA, 0x10000);
    assert_true(load());
    assert_memory_equal(physical(0x100000), file, 0x3200);
    for (u32 i = 0x3200; i < 0x10000; i++)
        assert_int_equal(*(const u8 *)physical(0x100000 + i), 0);
    assert_non_null(strstr(said, "0x3200 of 0x8000 bytes are there"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relocation),
        cmocka_unit_test(video),
        cmocka_unit_test(consoles),
        cmocka_unit_test(address_fields),
    };
    return cmocka_run_group_tests_name("load: headers", tests, NULL, NULL);
}
