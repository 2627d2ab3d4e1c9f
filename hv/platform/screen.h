/* The console's text on the screen that the boot loader left: VGA text, or a frame buffer. */
#ifndef TALLY_PLATFORM_SCREEN_H
#define TALLY_PLATFORM_SCREEN_H

#include "platform/boot_info.h"

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
