/*
 * The BIOS's answers about memory. A guest that asks INT 15h (AX = E820h, E801h, AH = 88h) in real
 * mode, whatever its boot protocol told it, gets its own map: the interrupt vector leads to a page
 * of code in low memory, which hands every other function on to the BIOS. A guest that puts the
 * BIOS's own vector back gets the BIOS's own answers back.
 */
#ifndef TALLY_LOAD_BIOS_MEMORY_H
#define TALLY_LOAD_BIOS_MEMORY_H

#include "platform/boot_info.h"

/* Takes the page out of the guest's map, at the top of what is not in use of low memory: the BIOS
 * data area's size of it, which INT 12h tells, goes down with it. Returns its address; 0: there is
 * no BIOS that could be asked, or no room for the page. */
u64 bios_memory_reserve(const struct boot_info *info, struct memory_map *guest_map,
                        const struct memory_range *used, unsigned used_count);

/* Fills the page with the code and the answers and points the vector at it, unless there is no page
 * or the guest was loaded over the vectors. */
void bios_memory_hook(u64 page, const struct memory_map *guest_map);

#endif
