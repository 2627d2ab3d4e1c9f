#include "kernel/traps.h"

static interrupt_handler *handlers[256];
interrupt_handler *other_traps;

void trap(struct trap_frame *frame);

void set_interrupt_handler(u32 vector, interrupt_handler *handler)
{
    handlers[vector] = handler;
}

/* From traps.asm; returns to what was interrupted. */
void trap(struct trap_frame *frame)
{
    interrupt_handler *handler = handlers[frame->vector];
    if (!handler)
        handler = other_traps;
    handler(frame);
}
