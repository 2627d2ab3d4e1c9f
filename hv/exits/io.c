/*
 * IN, OUT, INS, OUTS (exit 30): carried out on the real port with the guest's own width.
 * Permissions were checked before the exit. SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "emulate/io.h"
#include "emulate/handlers.h"
#include "vmx/advance.h"
#include "x86/instructions.h"

static u64 read_port(u16 port, unsigned size, u64 rax)
{
    switch (size) {
    case 1: return merge_register(rax, port_in(port, 1), 1);
    case 2: return merge_register(rax, port_in(port, 2), 2);
    default: return port_in(port, 4);
    }
}

/* DR7 is asked last: a hypervisor underneath does not shadow it. */
static bool breakpoints_on_ports(void)
{
    return unlikely(vmread(GUEST_CR4) & CR4_DE) && breakpoints_enabled();
}

/* Apart from exit_io_instruction(), so that a read of a port has no register to keep. */
static __attribute__((noinline)) enum exit_action accessed(u16 port, unsigned size)
{
    match_breakpoints(BREAKPOINT_PORT, port, size);
    return EXIT_ADVANCE;
}

static __attribute__((noinline)) enum exit_action write_port(u64 rax, u16 port, unsigned size)
{
    if (!filtered_out(port, size, (u32)(rax & (BIT(8 * size) - 1))))
        return EXIT_STOP;
    return breakpoints_on_ports() ? accessed(port, size) : EXIT_ADVANCE;
}

enum exit_action exit_io_instruction(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    unsigned size = (qualification & IO_SIZE) + 1;
    u16 port = (u16)(qualification >> IO_PORT_SHIFT);
    if (unlikely(qualification & IO_STRING))
        return string_io_instruction(vcpu, qualification, size);
    if (!(qualification & IO_IN))
        return write_port(vcpu->gpr[RAX], port, size);
    vcpu->gpr[RAX] = read_port(port, size, vcpu->gpr[RAX]);
    return breakpoints_on_ports() ? accessed(port, size) : EXIT_ADVANCE;
}
