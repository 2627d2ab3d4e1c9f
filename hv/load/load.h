/* How a guest gets into memory: multiboot 1 and 2 kernels, Linux bzImages. */
#ifndef TALLY_LOAD_LOAD_H
#define TALLY_LOAD_LOAD_H

#include "platform/boot_info.h"
#include "guest_start.h"

/*
 * Puts the guest into memory: the first module is its kernel, the others are its own modules.
 * `guest_map` is the guest's memory map; the loader may mark a page in it as ACPI's. Tally itself
 * is at [tally_base, tally_base + tally_size), everything else is reached by physical().
 * False: nothing can be started, and `error` says why in one line.
 */
bool load_guest(const struct boot_info *info, struct memory_map *guest_map, u64 tally_base,
                u64 tally_size, struct guest_start *start, char *error, size_t error_size);

#endif
