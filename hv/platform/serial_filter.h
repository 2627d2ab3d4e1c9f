/* Watches what the guest sends to COM1, so that a line of Tally's never breaks into the guest's. */
#ifndef TALLY_PLATFORM_SERIAL_FILTER_H
#define TALLY_PLATFORM_SERIAL_FILTER_H

#include "types.h"

/* Calls `watch` for each port whose OUTs have to pass serial_filter_out(). */
void serial_filter_watch(void (*watch)(u16 port));

/* Before the guest's OUT of a byte to one of COM1's ports is carried out. */
void serial_filter_out(u16 port, u8 value);

#endif
