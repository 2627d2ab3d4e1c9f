/*
 * Address line 20. In VMX operation a CPU takes no notice of its switch (SDM vol. 3, 'Restrictions
 * on VMX Operation'), but emulators clear the bit in all addresses, Tally's included.
 */
#ifndef TALLY_PLATFORM_A20_H
#define TALLY_PLATFORM_A20_H

#include "types.h"

/* Ports that have to do with it, and by which machines are reset. */
#define PORT_KEYBOARD_DATA 0x60
#define PORT_KEYBOARD_COMMAND 0x64
#define PORT_SYSTEM_CONTROL_A 0x92
#define A20_LAST_PORT PORT_SYSTEM_CONTROL_A

/* What goes to the ports in place of the guest's `value`, so that the line stays on. */
u32 a20_keep(u16 port, unsigned size, u32 value);

/* Whether the next byte to port 0x60 goes to the keyboard controller's output port. */
bool a20_output_port_is_next(void);

#endif
