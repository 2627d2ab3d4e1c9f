/*
 * IN, OUT, INS, OUTS (exit 30): carried out on the real port with the guest's own width.
 * Permissions were checked before the exit. SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "exits/exits.h"
#include "platform/power.h"
#include "platform/serial_filter.h"
#include "vmx/guest_memory.h"
#include "vmx/live_state.h"
#include "vmx/prefixes.h"

#define IO_SIZE 7ull /* bytes - 1 */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_REP BIT(5)
#define IO_PORT_SHIFT 16

/* Elements of a string instruction for one exit: bounds the time in which no interrupt gets in. */
#define STRING_BATCH 4096

#define COM1 0x3F8
#define COM1_LAST 0x3FF

/* The guest's line state matters to Tally's own lines on the same port. Never ends the machine. */
static bool com1_out(u16 port, unsigned size, u32 value)
{
    for (unsigned i = 0; i < size; i++)
        if (port + i >= COM1 && port + i <= COM1_LAST)
            serial_filter_out((u16)(port + i), (u8)(value >> 8 * i));
    return false;
}

/* Who looks at what the guest writes before the port gets it; true: the write ends the machine. */
static const struct {
    u16 first, last;
    bool (*out)(u16 port, unsigned size, u32 value);
} filters[] = {
    {COM1, COM1_LAST, com1_out},
    {0x0000, 0xFFFF, power_filter_out}, /* ACPI's ports are known only at run time */
};

/* False: the write would end the machine and has not been done. */
static bool filtered_out(u16 port, unsigned size, u32 value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(filters); i++)
        if (port <= filters[i].last && port + size > filters[i].first &&
            filters[i].out(port, size, value))
            return false;
    port_out(port, size, value);
    return true;
}

/* AL and AX leave the rest of RAX alone, EAX clears the upper half. */
static u64 merge(u64 old, u64 value, unsigned bytes)
{
    u64 mask = bytes == 8 ? ~0ull : BIT(8 * bytes) - 1;
    return bytes >= 4 ? value & mask : (old & ~mask) | (value & mask);
}

#define DR7_IO 2u /* a breakpoint's type; 0: execution, 1: writes, 3: reads and writes */

/* Whether the guest's debugger may be interested in ports at all. */
static bool breakpoints_enabled(void)
{
    return vmread(GUEST_DR7) & DR7_BREAKPOINTS;
}

/* The trap comes after the instruction. SDM vol. 3, 'I/O Breakpoint Exception Conditions'. */
static __attribute__((noinline)) void match_breakpoints(u16 port, unsigned size)
{
    u64 dr7 = vmread(GUEST_DR7), matched = 0;
    if (!(guest_visible_cr4() & CR4_DE))
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
        vcpu->gpr[RAX] = merge(rax, port_in(port, size), size);
    else if (!filtered_out(port, size, value))
        return EXIT_STOP;
    if (unlikely(breakpoints_enabled()))
        match_breakpoints(port, size);
    return EXIT_ADVANCE;
}

/* A string instruction as decoded from qualification, prefixes and registers. */
struct string_io {
    u16 port;
    unsigned size, address_size;
    bool in, repeated;
    enum segment segment;
    unsigned index; /* RSI or RDI */
    u64 offset, count;
    u64 step; /* added to the offset, modulo the address size */
};

static u64 truncated_gpr(const struct vcpu *vcpu, unsigned number, unsigned bytes)
{
    u64 value = vcpu_gpr(vcpu, number);
    return bytes == 8 ? value : value & (BIT(8 * bytes) - 1);
}

static struct string_io decode_string_io(const struct vcpu *vcpu, u64 qualification, unsigned size)
{
    struct prefixes prefixes = guest_prefixes();
    struct string_io s = {.port = (u16)(qualification >> IO_PORT_SHIFT),
                          .size = size,
                          .address_size = prefixes.address_size,
                          .in = qualification & IO_IN,
                          .repeated = qualification & IO_REP,
                          .count = 1};
    s.index = s.in ? RDI : RSI;
    s.segment = s.in ? ES : prefixes.segment >= 0 ? (enum segment)prefixes.segment : DS;
    s.offset = truncated_gpr(vcpu, s.index, s.address_size);
    s.step = vmread(GUEST_RFLAGS) & RFLAGS_DF ? -(u64)size : size;
    if (s.repeated)
        s.count = truncated_gpr(vcpu, RCX, s.address_size);
    return s;
}

enum element { ELEMENT_DONE, ELEMENT_FAULT, ELEMENT_STOP };

static enum element string_element(const struct string_io *s, struct guest_fault *fault)
{
    unsigned cpl = guest_cpl();
    u64 linear;
    u32 value = 0;
    if (!guest_linear_address(s->segment, s->offset, s->address_size, s->size,
                              s->in ? ACCESS_WRITE : ACCESS_READ, &linear, fault))
        return ELEMENT_FAULT;
    if (!s->in) {
        if (!guest_read(linear, &value, s->size, cpl, fault))
            return ELEMENT_FAULT;
        return filtered_out(s->port, s->size, value) ? ELEMENT_DONE : ELEMENT_STOP;
    }
    /* Asked first: what was read from the port and cannot be stored would be lost. */
    if (!guest_can_write(linear, s->size, cpl, fault))
        return ELEMENT_FAULT;
    value = port_in(s->port, s->size);
    return guest_write(linear, &value, s->size, cpl, fault) ? ELEMENT_DONE : ELEMENT_FAULT;
}

static void store_progress(struct vcpu *vcpu, const struct string_io *s)
{
    u64 index = vcpu_gpr(vcpu, s->index), count = vcpu_gpr(vcpu, RCX);
    vcpu_set_gpr(vcpu, s->index, merge(index, s->offset, s->address_size));
    if (s->repeated)
        vcpu_set_gpr(vcpu, RCX, merge(count, s->count, s->address_size));
}

/* The instruction goes on at the next entry, but elements are done: as between two iterations. */
static enum exit_action interrupted(void)
{
    u64 blocking = BLOCKING_BY_STI | BLOCKING_BY_MOV_SS;
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~blocking);
    if ((vmread(GUEST_RFLAGS) & RFLAGS_TF) && !(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS,
                vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
    return EXIT_RETRY;
}

static enum exit_action string_io(struct vcpu *vcpu, struct string_io *s)
{
    /* Traps of single steps and breakpoints come after every iteration. */
    bool debugged = (vmread(GUEST_RFLAGS) & RFLAGS_TF) || breakpoints_enabled();
    unsigned batch = debugged ? 1 : STRING_BATCH;
    enum element element = ELEMENT_DONE;
    struct guest_fault fault;
    if (!s->count)
        return EXIT_ADVANCE;
    while (s->count && batch--) {
        element = string_element(s, &fault);
        if (element != ELEMENT_DONE)
            break;
        s->count--;
        s->offset += s->step;
        if (s->address_size < 8)
            s->offset &= BIT(8 * s->address_size) - 1;
    }
    store_progress(vcpu, s);
    if (element == ELEMENT_FAULT)
        return inject_fault(vcpu, &fault);
    if (element == ELEMENT_STOP)
        return EXIT_STOP;
    if (debugged)
        match_breakpoints(s->port, s->size);
    return s->count ? interrupted() : EXIT_ADVANCE;
}

static __attribute__((noinline)) enum exit_action
string_instruction(struct vcpu *vcpu, u64 qualification, unsigned size)
{
    struct string_io s = decode_string_io(vcpu, qualification, size);
    return string_io(vcpu, &s);
}

enum exit_action exit_io_instruction(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    unsigned size = (qualification & IO_SIZE) + 1;
    if (qualification & IO_STRING)
        return string_instruction(vcpu, qualification, size);
    return single_io(vcpu, (u16)(qualification >> IO_PORT_SHIFT), size, qualification & IO_IN);
}
