/* Where the guest begins, as load/ finds it and vmx/ writes it into the VMCS. */
#ifndef TALLY_GUEST_START_H
#define TALLY_GUEST_START_H

#include "types.h"

/* The registers with which the guest's first CPU starts, in 32-bit protected mode without paging,
 * interrupts off. All segments are flat; the GDT lies in guest memory, for guests that load a
 * segment register before they have their own. General registers not named here are 0. */
struct guest_start {
    bool real_mode; /* instead, with all segments 0 and no GDT */
    u32 entry, esp, eax, ebx, edx, esi;
    u32 gdt_base;
    u16 gdt_limit, code_selector, data_selector;
};

#endif
