#include "vmx/advance.h"
#include "vmx/guest_state.h"
#include "x86/instructions.h"

u64 wrapped_rip(u64 rip)
{
    return guest_64bit_code() ? rip : (u32)rip;
}

void pend_single_step(u64 rflags)
{
    if ((rflags & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS,
                vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}

void finish_flags(u64 rflags)
{
    if (rflags & RFLAGS_RF)
        vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
    pend_single_step(rflags);
}

enum exit_action execute_again(void)
{
    set_resume_flag();
    return EXIT_RETRY;
}

enum exit_action next_iteration(void)
{
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_SHADOW);
    pend_single_step(vmread(GUEST_RFLAGS));
    return execute_again();
}

/* A breakpoint's type in DR7; 0 is execution. */
enum { TYPE_WRITE = 1, TYPE_PORT = 2, TYPE_READ_WRITE = 3 };

static bool breakpoint_concerns(unsigned type, enum breakpoint_access access)
{
    switch (access) {
    case BREAKPOINT_PORT: return type == TYPE_PORT && (vmread(GUEST_CR4) & CR4_DE);
    case BREAKPOINT_WRITE: return type == TYPE_WRITE || type == TYPE_READ_WRITE;
    default: return type == TYPE_READ_WRITE;
    }
}

void match_breakpoints(enum breakpoint_access access, u64 address, unsigned size)
{
    static const u8 last_byte[] = {0, 1, 7, 3}; /* by DR7's length; the address is aligned to it */
    u64 dr7 = vmread(GUEST_DR7), matched = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned type = dr7 >> (16 + 4 * i) & 3;
        u64 last = last_byte[dr7 >> (18 + 4 * i) & 3];
        u64 first = live_debug_register(i) & ~last;
        if ((dr7 >> 2 * i & 3) && breakpoint_concerns(type, access) && address <= first + last &&
            address + size > first)
            matched |= BIT(i);
    }
    if (matched)
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | matched |
                                                    PENDING_DEBUG_ENABLED_BREAKPOINT);
}

u64 live_debug_register(unsigned number)
{
    switch (number) {
    case 0: return read_dr0();
    case 1: return read_dr1();
    case 2: return read_dr2();
    case 3: return read_dr3();
    default: return read_dr6();
    }
}

void live_set_debug_register(unsigned number, u64 value)
{
    switch (number) {
    case 0: write_dr0(value); break;
    case 1: write_dr1(value); break;
    case 2: write_dr2(value); break;
    case 3: write_dr3(value); break;
    default: write_dr6(value);
    }
}

/* RTM and the bus lock's bit are 0 for what happened; only a bus lock touches the latter. */
void update_dr6(u64 causes)
{
    u64 dr6 = live_debug_register(6) & ~(DR6_BREAKPOINTS | DR6_RTM);
    dr6 |= causes & (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT);
    if (!(causes & DR6_RTM))
        dr6 |= DR6_RTM;
    if (causes & DR6_BUS_LOCK)
        dr6 &= ~DR6_BUS_LOCK;
    live_set_debug_register(6, dr6);
}
