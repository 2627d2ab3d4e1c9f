/*
 * IN, OUT, INS, OUTS (exit 30): carried out on the real port with the guest's own width.
 * Permissions were checked before the exit. SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "emulate/io.h"
#include "emulate/handlers.h"
#include "vmx/breakpoints.h"
#include "vmx/live_state.h"

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
