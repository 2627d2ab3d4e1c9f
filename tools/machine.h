/*
 * The memory of a machine that stands still, by the command `xp`, which Bochs' debugger and QEMU's
 * monitor share. What goes wrong is told, and ends the program with status 1.
 */
#ifndef TALLY_TOOLS_MACHINE_H
#define TALLY_TOOLS_MACHINE_H

#include "types.h"

/* Commands are written to the file `to`, their answers read from `from`, a file that grows or a
 * pipe. */
void machine_open(const char *to, const char *from);

void read_memory(u64 address, void *to, u64 size);

/* The physical address of Tally's window, searched from `top` down, since Tally lives there. */
u64 find_window(u64 top);

__attribute__((noreturn)) void fail(const char *why);

#endif
