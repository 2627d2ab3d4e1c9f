/* The guest is the system on a disk: the machine's own boot goes on from its boot sector, by BIOS.
 */
#ifndef TALLY_LOAD_DISK_H
#define TALLY_LOAD_DISK_H

#include "guest_start.h"
#include "platform/boot_info.h"

/* The first disk that Tally did not come from. */
#define NEXT_DISK 0xFFu

/*
 * Puts code into low memory that loads the boot sector of the BIOS's disk `disk`, counted from 0,
 * and starts it (BIOS Boot Specification); the BIOS's answers about memory become those of
 * `guest_map`, which gives a page for them. Returns NULL, or one line that says what is wrong. What
 * shows only when the disk is read, the code says itself: no signature, not to be read.
 */
const char *load_disk(const struct boot_info *info, struct memory_map *guest_map, u32 disk,
                      struct guest_start *start);

#endif
