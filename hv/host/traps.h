/* The hypervisor's own IDT: unexpected exceptions stop with a dump, expected ones are fixed up. */
#ifndef TALLY_HOST_TRAPS_H
#define TALLY_HOST_TRAPS_H

#include "x86/instructions.h"

/* What host/traps.asm pushes, lowest address first. */
struct trap_frame {
    u64 gpr[16]; /* in the SDM's order; [RSP] is not used */
    u64 vector, error_code;
    u64 rip, cs, rflags, rsp, ss;
};

/* Fills the IDT, once. */
void traps_init(void);

/* #MC: false if Tally cannot go on. In machine_check.c. */
bool note_machine_check(struct trap_frame *f);

/* Where the IDT is. */
extern const struct descriptor_table_register trap_idtr;

/* Reloads CS and the data segments after LGDT. */
void load_segments(void);

/* Takes the external interrupt that waits for this CPU: its vector, -1 if none does any more. */
int acknowledge_interrupt(void);

/* Executes IRET, which unblocks NMIs after an NMI exit. SDM vol. 3, 'Handling of NMIs'. */
void unblock_nmi(void);

#endif
