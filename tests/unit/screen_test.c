/* Letters on both kinds of screen, in memory made to measure: whatever is written beside it is a
 * crash. */
#include "platform/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/paging.h"

u8 font[95][16];
static u16 *text;           /* what is at 0xB8000 */
static unsigned text_start; /* the CRTC's start address, in letters */
static u8 crtc_index;
static u8 *pixels; /* what is at ADDRESS, `size` bytes */
static u64 size, mapped_size;
static bool can_map;
static struct boot_info info;
#define ADDRESS 0x480001000ull
#define UNTOUCHED 0x5A

void *physical(u64 address)
{
    assert_int_equal(address, 0xB8000);
    return text;
}

void *map_screen(u64 address, u64 bytes)
{
    assert_int_equal(address, ADDRESS);
    mapped_size = bytes;
    return can_map ? pixels : NULL;
}

void outb(u16 port, u8 value)
{
    assert_int_equal(port, 0x3D4);
    crtc_index = value;
}

u8 inb(u16 port)
{
    assert_int_equal(port, 0x3D5);
    assert_true(crtc_index == 0x0C || crtc_index == 0x0D);
    return (u8)(text_start >> (crtc_index == 0x0C ? 8 : 0));
}

static void put(const char *letters)
{
    while (*letters)
        screen_put(*letters++);
}

/* VGA text */

static void check_text(unsigned row, const char *expected)
{
    for (unsigned i = 0; i < 80; i++) {
        u16 letter = i < strlen(expected) ? (u8)expected[i] : ' ';
        assert_int_equal(text[row * 80 + i], 0x0700 | letter);
    }
}

static void text_scrolls(void **state)
{
    (void)state;
    text = malloc(80 * 25 * 2);
    for (unsigned i = 0; i < 80 * 25; i++)
        text[i] = 0x0700 | ' ';
    memset(&info, 0, sizeof(info));
    assert_true(screen_choose(&info));
    info.framebuffer.type = MULTIBOOT_FRAMEBUFFER_EGA_TEXT; /* as GRUB tells it */
    info.framebuffer.addr = 0xB8000;
    assert_true(screen_choose(&info));
    screen_begin();
    assert_int_equal(screen_rows_left(), 24);
    put("left of the "
        "loader\nfirst\n12345678901234567890123456789012345678901234567890123456789012345"
        "678901234567890, wrapped");
    check_text(20, "");
    check_text(21, "left of the loader");
    check_text(22, "first");
    check_text(23,
               "12345678901234567890123456789012345678901234567890123456789012345678901234567890");
    check_text(24, ", wrapped");
    for (unsigned left = screen_rows_left(); left > 0; left--)
        put("\n");
    check_text(0, "left of the loader");
    assert_int_equal(screen_rows_left(), 1);
    put("\n");
    check_text(0, "first");
    check_text(24, "");
    info.efi = true; /* no text mode */
    assert_false(screen_choose(&info));
    free(text);
}

#define TEXT_LETTERS 0x4000

/* A guest that has scrolled: its lines stay, ours come below and can be seen. */
static void text_after_a_guest(void **state)
{
    (void)state;
    static const unsigned starts[] = {0, 80, TEXT_LETTERS - 80 * 25, TEXT_LETTERS - 80 * 25 + 1,
                                      0xFFFF};
    u16 *memory = malloc(TEXT_LETTERS * 2);
    for (unsigned i = 0; i < ARRAY_SIZE(starts); i++) {
        text = memory;
        put("in the line");
        for (unsigned j = 0; j < TEXT_LETTERS; j++)
            memory[j] = 0x0700 | '.';
        text = memory;
        text_start = starts[i];
        unsigned first = i < 3 ? starts[i] : 0; /* there is nothing behind the end */
        memory[first + 80 * 24] = 0x0700 | 'G'; /* its last line */
        screen_begin();
        put("ours\nthe last");
        for (unsigned j = 0; j < TEXT_LETTERS; j++)
            assert_true(memory[j] == (0x0700 | '.') || (j >= first && j < first + 80 * 25));
        text = memory + first;
        assert_int_equal(text[80 * 22], 0x0700 | 'G');
        check_text(23, "ours");
        check_text(24, "the last");
        text = memory;
    }
    screen_cuts = true;
    text_start = 0;
    screen_begin();
    put("12345678901234567890123456789012345678901234567890123456789012345678901234567890, "
        "cut\nnext");
    check_text(23,
               "12345678901234567890123456789012345678901234567890123456789012345678901234567890");
    check_text(24, "next");
    screen_cuts = false;
    free(memory);
}

/* Frame buffer: 6 letters by 4 lines, and some points that make no letter */

#define COLUMNS 6
#define ROWS 4

static void machine(u8 bpp)
{
    for (unsigned i = 1; i < 95; i++) /* all different, and none is empty */
        for (unsigned y = 0; y < 16; y++)
            font[i][y] = (u8)(y == 0 ? i : i * 37 + y * 11);
    memset(&info, 0, sizeof(info));
    memory_map_add(&info.map, 0, 0x9F000, MEMORY_RAM);
    memory_map_add(&info.map, 0x100000000, 0x380000000, MEMORY_RAM);
    memory_map_add(&info.map, 0x600000000, GIB, MEMORY_RAM);
    info.efi = true;
    info.framebuffer = (struct multiboot2_framebuffer){.addr = ADDRESS,
                                                       .width = 8 * COLUMNS + 5,
                                                       .height = 16 * ROWS + 7,
                                                       .bpp = bpp,
                                                       .type = MULTIBOOT_FRAMEBUFFER_RGB};
    info.framebuffer.pitch = info.framebuffer.width * ((bpp + 7) / 8) + 3;
    size = info.framebuffer.pitch * info.framebuffer.height;
    pixels = realloc(pixels, size);
    memset(pixels, UNTOUCHED, size);
    can_map = true;
}

/* Looks at each byte: in a cell that of its letter, elsewhere what was there. */
static void check_picture(const char *const *lines)
{
    u64 pitch = info.framebuffer.pitch, bytes = (info.framebuffer.bpp + 7) / 8;
    for (u64 i = 0; i < size; i++) {
        u64 y = i / pitch, x = i % pitch / bytes;
        u8 expected = UNTOUCHED;
        if (x < 8 * COLUMNS && y < 16 * ROWS) {
            const char *line = lines[y / 16];
            char c = x / 8 < strlen(line) ? line[x / 8] : ' ';
            expected = font[c - ' '][y % 16] & 0x80 >> x % 8 ? 0xFF : 0;
        }
        assert_int_equal(pixels[i], expected);
    }
}

static void framebuffer_wraps(void **state)
{
    (void)state;
    static const u8 depths[] = {32, 24, 16, 15};
    for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
        machine(depths[i]);
        assert_true(screen_choose(&info));
        assert_int_equal(mapped_size, size);
        check_picture((const char *[]){"", "", "", ""});
        screen_begin();
        assert_int_equal(screen_rows_left(), ROWS - 2);
        put("one\nTwo~6\x80\t!");
        check_picture((const char *[]){"one", "Two~6?", "?!", ""});
        put("\n4th");
        check_picture((const char *[]){"", "Two~6?", "?!", "4th"});
        put("\nfifth.6\n");
        check_picture((const char *[]){"fifth.", "6", "", ""});
        put("..\n1");
        check_picture((const char *[]){"", "6", "..", "1"});
    }
}

/* What the boot loader may tell that cannot be drawn on. */

static void odd_depth(void)
{
    info.framebuffer.bpp = 8;
}

static void large_depth(void)
{
    info.framebuffer.bpp = 40;
    info.framebuffer.pitch = 4096;
}

static void short_pitch(void)
{
    info.framebuffer.pitch = info.framebuffer.width * 4 - 1;
}

static void short_pitch_of_many(void)
{
    info.framebuffer.width = 0x40000001; /* 4 bytes each: 4 in 32 bits */
}

static void narrow(void)
{
    info.framebuffer.width = 7;
}

static void low(void)
{
    info.framebuffer.height = 31;
}

static void ram_behind(void)
{
    memory_map_add(&info.map, ADDRESS + size - 1, PAGE_SIZE, MEMORY_RAM);
}

static void ram_before(void)
{
    memory_map_add(&info.map, ADDRESS - PAGE_SIZE, PAGE_SIZE + 1, MEMORY_RAM);
}

static void ram_far_behind(void)
{
    info.framebuffer.height = 0xFFFFFFFF; /* times the pitch: beyond 32 bits */
}

static void no_map(void)
{
    info.map.count = 0;
}

static void beyond_the_tables(void)
{
    can_map = false;
}

static void not_told(void)
{
    memset(&info.framebuffer, 0, sizeof(info.framebuffer));
}

static void no_screen(void **state)
{
    (void)state;
    static void (*const kinds[])(void) = {
        odd_depth,  large_depth,    short_pitch, short_pitch_of_many, narrow,  low, ram_behind,
        ram_before, ram_far_behind, no_map,      beyond_the_tables,   not_told};
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        machine(32);
        kinds[i]();
        assert_false(screen_choose(&info));
        for (u64 j = 0; j < size; j++)
            assert_int_equal(pixels[j], UNTOUCHED);
    }
    machine(32); /* beside RAM, but not in it */
    memory_map_add(&info.map, ADDRESS - PAGE_SIZE, PAGE_SIZE, MEMORY_RAM);
    memory_map_add(&info.map, ADDRESS + size, PAGE_SIZE, MEMORY_RAM);
    memory_map_add(&info.map, ADDRESS, size, MEMORY_RESERVED);
    assert_true(screen_choose(&info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_scrolls), /* first: what a machine has does not change */
        cmocka_unit_test(text_after_a_guest),
        cmocka_unit_test(framebuffer_wraps),
        cmocka_unit_test(no_screen),
    };
    return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
