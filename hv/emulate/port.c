/* A write to a port as a guest makes it: what would end the machine is kept from it. */
#include "emulate/io.h"
#include "platform/power.h"
#include "platform/console.h"
#include "x86/instructions.h"

/* The guest's line state matters to Tally's own lines on the same port. */
static void tell_console(u16 port, unsigned size, u32 value)
{
    for (unsigned i = 0; i < size; i++)
        if (port + i >= COM1 && port + i <= COM1_LAST)
            serial_filter_out((u16)(port + i), (u8)(value >> 8 * i));
}

bool filtered_out(u16 port, unsigned size, u32 value)
{
    if (port + size > COM1 && port <= COM1_LAST)
        tell_console(port, size, value);
    if (power_filter_out(port, size, value))
        return false;
    port_out(port, size, port <= A20_LAST_PORT ? a20_keep(port, size, value) : value);
    return true;
}
