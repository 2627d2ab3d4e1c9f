/*
 * INS and OUTS, with REP (exit 30): the elements' way through the guest's segments and pages.
 * SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "emulate/handlers.h"
#include "vmx/advance.h"
#include "emulate/io.h"
#include "lib/string.h"
#include "vmx/breakpoints.h"
#include "memory/guest_memory.h"
#include "vmx/live_state.h"
#include "emulate/prefixes.h"

/*
 * Elements for one exit: bounds the time in which no interrupt gets in. A port takes a microsecond
 * or so on hardware; the exit that each batch costs is small beside them.
 */
#define STRING_BATCH 128

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

/* With breakpoints an exit has one element, which comes through string_element(). */
static void match_element_breakpoints(const struct string_io *s, u64 linear)
{
    if (likely(!breakpoints_enabled()))
        return;
    match_breakpoints(BREAKPOINT_PORT, s->port, s->size);
    match_breakpoints(s->in ? BREAKPOINT_WRITE : BREAKPOINT_READ, linear, s->size);
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
        if (!filtered_out(s->port, s->size, value))
            return ELEMENT_STOP;
        match_element_breakpoints(s, linear);
        return ELEMENT_DONE;
    }
    /* Asked first: what was read from the port and cannot be stored would be lost. */
    if (!guest_can_write(linear, s->size, cpl, fault))
        return ELEMENT_FAULT;
    value = port_in(s->port, s->size);
    if (!guest_write(linear, &value, s->size, cpl, fault))
        return ELEMENT_FAULT;
    match_element_breakpoints(s, linear);
    return ELEMENT_DONE;
}

/*
 * The elements ahead that one translation serves: `*number` of them, upwards in one page of RAM,
 * inside the segment. NULL: the next one must go through all checks by itself, and may fault.
 */
static u8 *contiguous(const struct string_io *s, unsigned limit, unsigned *number)
{
    enum access access = s->in ? ACCESS_WRITE : ACCESS_READ;
    struct guest_fault ignored;
    u64 linear, physical, n = s->count < limit ? s->count : limit;
    if (n < 2 || s->step != s->size ||
        !guest_linear_address(s->segment, s->offset, s->address_size, s->size, access, &linear,
                              &ignored))
        return NULL;
    u64 fitting = (PAGE_SIZE - linear % PAGE_SIZE) / s->size;
    n = n < fitting ? n : fitting;
    bool wraps = s->address_size < 8 && s->offset + n * s->size > BIT(8 * s->address_size);
    if (n < 2 || wraps ||
        !guest_linear_address(s->segment, s->offset, s->address_size, n * s->size, access, &linear,
                              &ignored) ||
        !guest_translate(linear, access, guest_cpl(), &physical, &ignored))
        return NULL;
    *number = (unsigned)n;
    return guest_ram(physical, n * s->size);
}

static bool element_in_ram(const struct string_io *s, u8 *memory)
{
    u32 value = 0;
    if (!s->in) {
        memcpy(&value, memory, s->size);
        return filtered_out(s->port, s->size, value);
    }
    value = port_in(s->port, s->size);
    memcpy(memory, &value, s->size);
    return true;
}

static void step(struct string_io *s)
{
    s->count--;
    s->offset += s->step;
    if (s->address_size < 8)
        s->offset &= BIT(8 * s->address_size) - 1;
}

/* At least one element, at most `limit`; `*done` says how many. */
static enum element some_elements(struct string_io *s, unsigned limit, unsigned *done,
                                  struct guest_fault *fault)
{
    unsigned number = 1;
    u8 *memory = contiguous(s, limit, &number);
    if (!memory) {
        enum element element = string_element(s, fault);
        *done = element == ELEMENT_DONE;
        if (*done)
            step(s);
        return element;
    }
    for (*done = 0; *done < number; (*done)++, step(s))
        if (!element_in_ram(s, memory + *done * s->size))
            return ELEMENT_STOP;
    return ELEMENT_DONE;
}

static void store_progress(struct vcpu *vcpu, const struct string_io *s)
{
    u64 index = vcpu_gpr(vcpu, s->index), count = vcpu_gpr(vcpu, RCX);
    vcpu_set_gpr(vcpu, s->index, merge_register(index, s->offset, s->address_size));
    if (s->repeated)
        vcpu_set_gpr(vcpu, RCX, merge_register(count, s->count, s->address_size));
}

static enum exit_action string_io(struct vcpu *vcpu, struct string_io *s)
{
    /* Traps of single steps and breakpoints come after every iteration. */
    bool debugged = (vmread(GUEST_RFLAGS) & RFLAGS_TF) || breakpoints_enabled();
    unsigned batch = debugged ? 1 : STRING_BATCH;
    enum element element = ELEMENT_DONE;
    struct guest_fault fault;
    for (unsigned done; s->count && batch && element == ELEMENT_DONE; batch -= done)
        element = some_elements(s, batch, &done, &fault);
    store_progress(vcpu, s);
    if (element == ELEMENT_FAULT)
        return inject_fault(vcpu, &fault);
    if (element == ELEMENT_STOP)
        return EXIT_STOP;
    if (!s->count)
        return EXIT_ADVANCE;
    return next_iteration();
}

enum exit_action string_io_instruction(struct vcpu *vcpu, u64 qualification, unsigned size)
{
    struct string_io s = decode_string_io(vcpu, qualification, size);
    return string_io(vcpu, &s);
}
