/*
 * Tally's output: COM1 always, the screen until the guest owns it and again for the last words.
 */
#ifndef TALLY_PLATFORM_CONSOLE_H
#define TALLY_PLATFORM_CONSOLE_H

#include "platform/boot_info.h"

#define COM1 0x3F8
#define COM1_PORTS 8
#define COM1_LAST (COM1 + COM1_PORTS - 1)

/* Sets COM1 to 115200 8N1 and directs print() to it, and to VGA text. */
void console_init(void);

/* From now on the screen that the boot loader told of, if there is one. */
void console_choose_screen(const struct boot_info *info);

/* For the last words: on the screen again, if there is one. */
void console_show_on_screen(void);

/* Without a serial port they are on the screen alone: how many lines it has left. 0: there is a
 * port. */
unsigned console_screen_alone(void);

/* Waits until COM1 has sent everything. */
void console_drain(void);

/* The guest owns COM1 from now on: Tally leaves its settings alone and waits for line ends. */
void console_hand_over(void);

/*
 * What the guest sends to COM1 is watched, so that a line of Tally's never breaks into the guest's:
 * calls `watch` for each port whose OUTs have to pass serial_filter_out(), before they are done.
 */
void serial_filter_watch(void (*watch)(u16 port));
void serial_filter_out(u16 port, u8 value);

/* ---- screen.c: the screen that the boot loader left, VGA text or a frame buffer ---- */

/*
 * Takes the screen that the machine has: the loader's frame buffer if it is one that can be drawn
 * on and no RAM; without one VGA text at 0xB8000, which is taken at the start, too. False: there is
 * none, since UEFI has no text mode.
 */
bool screen_choose(const struct boot_info *info);

/* What is written from now on is to be seen at once, as far as it goes, below what the guest left:
 * where that has scrolled, VGA text does not begin at 0xB8000. */
void screen_begin(void);

/* How many more lines, from the next one on, leave all of that on the screen; at least 1. */
unsigned screen_rows_left(void);

/* What has no room in a line is left out, not put into the next one. */
extern bool screen_cuts;

/* Writes a letter after the last one. Text scrolls up from the last line; on a frame buffer, which
 * is slow to read, it goes on from the top, with an empty line after the newest. */
void screen_put(char c);

#endif
