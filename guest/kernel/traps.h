/* Exceptions and interrupts that reach the guest. */
#ifndef GUEST_TRAPS_H
#define GUEST_TRAPS_H

#include "types.h"
#include "x86/registers.h"

/* Code under test ends with INT VECTOR_DONE. */
#define VECTOR_DONE 0x40

struct trap_frame { /* as traps.asm pushes it */
    u64 gpr[GPRS];
    u64 vector, error;
    u64 rip, cs, rflags, rsp, ss;
};

extern void (*const trap_entries[256])(void);

/* Where the frame of a trap lies, of any vector but NMI's. */
struct trap_frame *frame_of_trap(void);

/* An interrupt's handler; it returns to what was interrupted. It sends its own EOI. */
typedef void interrupt_handler(struct trap_frame *frame);
void set_interrupt_handler(u32 vector, interrupt_handler *handler);

/* Of all vectors without a handler of their own; set before anything can trap. */
extern interrupt_handler *other_traps;

#endif
