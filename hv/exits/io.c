/*
 * IN, OUT, INS, OUTS (exit 30): carried out on the real port with the guest's own width.
 * Permissions were checked before the exit. SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "exits/io.h"
#include "exits/exits.h"
#include "platform/a20.h"
#include "platform/power.h"
#include "platform/serial_filter.h"
#include "vmx/breakpoints.h"
#include "vmx/live_state.h"

#define COM1 0x3F8
#define COM1_LAST 0x3FF

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

u64 merge_register(u64 old, u64 value, unsigned bytes)
{
    u64 mask = bytes == 8 ? ~0ull : BIT(8 * bytes) - 1;
    return bytes >= 4 ? value & mask : (old & ~mask) | (value & mask);
}

static enum exit_action single_io(struct vcpu *vcpu, u16 port, unsigned size, bool in)
{
    u64 rax = vcpu->gpr[RAX];
    if (in)
        vcpu->gpr[RAX] = merge_register(rax, port_in(port, size), size);
    else if (!filtered_out(port, size, (u32)(rax & (BIT(8 * size) - 1))))
        return EXIT_STOP;
    if (unlikely(breakpoints_enabled()))
        match_breakpoints(BREAKPOINT_PORT, port, size);
    return EXIT_ADVANCE;
}

enum exit_action exit_io_instruction(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    unsigned size = (qualification & IO_SIZE) + 1;
    if (qualification & IO_STRING)
        return string_io_instruction(vcpu, qualification, size);
    return single_io(vcpu, (u16)(qualification >> IO_PORT_SHIFT), size, qualification & IO_IN);
}
