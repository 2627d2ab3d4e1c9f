#include "platform/console.h"
#include "lib/string.h"
#include "host/paging.h"
#include "x86/instructions.h"

#define TEXT 0xB8000
#define TEXT_LETTERS 0x4000 /* that it has room for, on the screen or not */
#define TEXT_COLUMNS 80
#define TEXT_ROWS 25
#define TEXT_ATTRIBUTE 0x0700
#define VGA_CRTC 0x3D4 /* index; the register is the next port */
#define CRTC_START_HIGH 0x0C
#define CRTC_START_LOW 0x0D

#define GLYPH_WIDTH 8
#define GLYPH_HEIGHT 16
extern const u8 font[][GLYPH_HEIGHT]; /* from ' ' to '~', the leftmost point in bit 7 */

bool screen_cuts;
static unsigned column;
static unsigned used; /* rows, since screen_begin() */

/* VGA text: always in the last row, below what the boot loader or the guest left */

static unsigned text_start; /* which letter is the screen's first */

/* A guest that scrolls moves it on. */
static void text_find_start(void)
{
    outb(VGA_CRTC, CRTC_START_HIGH);
    unsigned start = inb(VGA_CRTC + 1) << 8;
    outb(VGA_CRTC, CRTC_START_LOW);
    start |= inb(VGA_CRTC + 1);
    text_start = start <= TEXT_LETTERS - TEXT_COLUMNS * TEXT_ROWS ? start : 0;
}

static volatile u16 *text_letters(void)
{
    return (volatile u16 *)physical(TEXT) + text_start;
}

static void text_draw(char c)
{
    volatile u16 *text = text_letters();
    text[(TEXT_ROWS - 1) * TEXT_COLUMNS + column] = TEXT_ATTRIBUTE | (u8)c;
}

static void text_new_row(void)
{
    volatile u16 *text = text_letters();
    for (unsigned i = 0; i < TEXT_COLUMNS * TEXT_ROWS; i++)
        text[i] =
            i < TEXT_COLUMNS * (TEXT_ROWS - 1) ? text[i + TEXT_COLUMNS] : TEXT_ATTRIBUTE | ' ';
}

/* Frame buffer: white on black, so that it matters not where in a pixel which colour is. */

static u8 *pixels; /* NULL: text */
static unsigned columns, rows, row;
static u32 pitch;
static u64 pixel_size; /* bytes */

struct word {
    u64 value;
} __attribute__((packed));

/* The 8 points of a line of a glyph are as many words as a pixel has bytes. */
static void framebuffer_draw(unsigned at_row, unsigned at_column, char c)
{
    const u8 *glyph = font[(c < ' ' || c > '~' ? '?' : c) - ' '];
    u8 *to = pixels + (u64)at_row * GLYPH_HEIGHT * pitch + at_column * GLYPH_WIDTH * pixel_size;
    for (unsigned y = 0; y < GLYPH_HEIGHT; y++, to += pitch) {
        u64 line[4] = {0};
        for (unsigned x = 0; x < GLYPH_WIDTH; x++)
            if (glyph[y] & 0x80 >> x)
                memset((u8 *)line + x * pixel_size, 0xFF, pixel_size);
        for (unsigned i = 0; i < pixel_size; i++)
            ((volatile struct word *)to)[i].value = line[i];
    }
}

static void framebuffer_clear(unsigned at_row)
{
    for (unsigned i = 0; i < columns; i++)
        framebuffer_draw(at_row, i, ' ');
}

static void framebuffer_put(char c)
{
    framebuffer_draw(row, column, c);
}

static void framebuffer_new_row(void)
{
    row = (row + 1) % rows;
    framebuffer_clear((row + 1) % rows);
}

/* The boot loader is believed as little as is cheap: nothing outside of what it told is written,
 * and nothing of that is RAM, where Tally and the guest are. */
static bool framebuffer_take(const struct boot_info *info)
{
    const struct multiboot2_framebuffer *from = &info->framebuffer;
    u64 size = (u64)from->pitch * from->height;
    pitch = from->pitch;
    pixel_size = (from->bpp + 7) / 8;
    columns = from->width / GLYPH_WIDTH;
    rows = from->height / GLYPH_HEIGHT;
    if (pixel_size < 2 || pixel_size > 4 || from->width * pixel_size > pitch || !columns ||
        rows < 2 || !info->map.count || memory_map_has_ram(&info->map, from->addr, size))
        return false;
    pixels = map_screen(from->addr, size);
    if (!pixels)
        return false;
    row = column = 0;
    for (unsigned i = 0; i < rows; i++)
        framebuffer_clear(i);
    return true;
}

/* What both share */

bool screen_choose(const struct boot_info *info)
{
    if (info->framebuffer.type == MULTIBOOT_FRAMEBUFFER_RGB)
        return framebuffer_take(info);
    return !info->efi;
}

void screen_begin(void)
{
    used = column = 0;
    if (pixels)
        return;
    text_find_start();
    text_new_row();
}

/* The row that the next line begins in stays empty, and so does the one after the newest. */
unsigned screen_rows_left(void)
{
    unsigned seen = pixels ? rows - 2 : TEXT_ROWS - 1;
    return used < seen ? seen - used : 1;
}

void screen_put(char c)
{
    bool full = column == (pixels ? columns : TEXT_COLUMNS);
    if (full && screen_cuts && c != '\n')
        return;
    if (c == '\n' || full) {
        column = 0;
        used++;
        (pixels ? framebuffer_new_row : text_new_row)();
    }
    if (c != '\n') {
        (pixels ? framebuffer_put : text_draw)(c);
        column++;
    }
}
