#include "platform/power.h"

#define WRITE_OUTPUT_PORT 0xD1 /* the data byte that follows goes there */
#define A20_OFF 0xDD           /* with the bit: on */
#define A20 2u                 /* in the output port, the command and system control port A */

bool a20_output_port_next;

static u8 keep_byte(u16 port, u8 value)
{
    switch (port) {
    case PORT_SYSTEM_CONTROL_A: return value | A20;
    case PORT_KEYBOARD_COMMAND:
        a20_output_port_next = value == WRITE_OUTPUT_PORT;
        return value == A20_OFF ? value | A20 : value;
    case PORT_KEYBOARD_DATA:
        if (a20_output_port_next)
            value |= A20;
        a20_output_port_next = false;
        return value;
    default: return value;
    }
}

u32 a20_keep(u16 port, unsigned size, u32 value)
{
    u32 kept = 0;
    for (unsigned i = 0; i < size; i++)
        kept |= (u32)keep_byte((u16)(port + i), (u8)(value >> 8 * i)) << 8 * i;
    return kept;
}
