/*
 * IN, OUT, INS, OUTS (exit 30): carried out on the real port with the guest's own width.
 * Permissions were checked before the exit. SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "exits/io.h"
#include "exits/exits.h"
#include "platform/power.h"
#include "platform/serial_filter.h"
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
    port_out(port, size, value);
    return true;
}

u64 merge_register(u64 old, u64 value, unsigned bytes)
{
    u64 mask = bytes == 8 ? ~0ull : BIT(8 * bytes) - 1;
    return bytes >= 4 ? value & mask : (old & ~mask) | (value & mask);
}

#define DR7_IO 2u /* a breakpoint's type; 0: execution, 1: writes, 3: reads and writes */

__attribute__((noinline)) void match_io_breakpoints(const struct vcpu *vcpu, u16 port,
                                                    unsigned size)
{
    u64 dr7 = vmread(GUEST_DR7), matched = 0;
    if (!(guest_visible_cr4(vcpu) & CR4_DE))
        return;
    for (unsigned i = 0; i < 4; i++) {
        u64 length_mask = dr7 >> (18 + 4 * i) & 3; /* the length - 1, and 2 for eight bytes */
        u64 first = live_debug_register(i) & ~length_mask;
        if ((dr7 >> 2 * i & 3) && (dr7 >> (16 + 4 * i) & 3) == DR7_IO &&
            port <= first + length_mask && port + size > first)
            matched |= BIT(i);
    }
    if (matched)
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | matched |
                                                    PENDING_DEBUG_ENABLED_BREAKPOINT);
}

static enum exit_action single_io(struct vcpu *vcpu, u16 port, unsigned size, bool in)
{
    u64 rax = vcpu->gpr[RAX];
    u32 value = (u32)(size == 4 ? rax : rax & (BIT(8 * size) - 1));
    if (in)
        vcpu->gpr[RAX] = merge_register(rax, port_in(port, size), size);
    else if (!filtered_out(port, size, value))
        return EXIT_STOP;
    if (unlikely(io_breakpoints_enabled()))
        match_io_breakpoints(vcpu, port, size);
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
