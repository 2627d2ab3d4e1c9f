/* How a guest gets into memory: multiboot 1 and 2 kernels, Linux bzImages, the system on a disk. */
#ifndef TALLY_LOAD_LOAD_H
#define TALLY_LOAD_LOAD_H

#include "host/found_state.h"
#include "platform/boot_info.h"

/*
 * Puts the guest into memory: the first module is its kernel, the others are its own modules.
 * None of them lies where Tally is: it has looked for a place for itself beside them.
 * `guest_map` is the guest's memory map; the loader may mark a page in it as ACPI's. Tally itself
 * is at [tally_base, tally_base + tally_size), everything else is reached by physical().
 * Returns NULL, or one line that says why nothing can be started.
 */
const char *load_guest(const struct boot_info *info, struct memory_map *guest_map, u64 tally_base,
                       u64 tally_size, struct guest_start *start);

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
