/* Where the guest begins: a CPU that a firmware runs on, as Tally finds it, or what a loader wants.
 */
#ifndef TALLY_HOST_FOUND_STATE_H
#define TALLY_HOST_FOUND_STATE_H

#include "x86/instructions.h"
#include "x86/registers.h"

/* As a VMCS has it. */
struct segment_state {
    u16 selector;
    u32 access_rights, limit;
    u64 base;
};

/* A firmware's is in 64-bit mode with paging; it goes on as the guest. */
struct found_state {
    u64 cr0, cr3, cr4, efer, dr7, rflags, rip, rsp;
    u64 gpr[GPRS];   /* but RSP */
    u64 sysenter[3]; /* CS, ESP, EIP */
    struct descriptor_table_register gdtr, idtr;
    struct segment_state segment[SEGMENTS];
};

/* Keeps the state of the CPU that runs this, before anything of it is changed: all but CR3, RIP,
 * RSP, RFLAGS and general registers, which the caller fills in. `memory` is where the tables in use
 * map all memory, above 4 GiB, too, where the firmware's GDT may be. */
void found_state_take(struct found_state *found, u64 memory);

/* The registers with which a guest that load/ has put into memory starts: in 32-bit protected mode
 * without paging, interrupts off. All segments are flat; the GDT lies in guest memory, for guests
 * that load a segment register before they have their own. What is not named here is 0. */
struct guest_start {
    bool real_mode; /* instead, with all segments 0 and no GDT */
    u32 entry, esp, eax, ebx, edx, esi;
    u32 gdt_base;
    u16 gdt_limit, code_selector, data_selector;
};

#endif
