/*
 * INS and OUTS, with REP (exit 30): the elements' way through the guest's segments and pages.
 * SDM vol. 3, 'Exit Qualification for I/O Instructions'.
 */
#include "emulate/handlers.h"
#include "vmx/advance.h"
#include "emulate/io.h"
#include "lib/string.h"
#include "emulate/operand.h"
#include "x86/instructions.h"

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

static void decode_string_io(struct string_io *s, const struct vcpu *vcpu, u64 qualification,
                             unsigned size)
{
    struct instruction instruction = guest_instruction();
    *s = (struct string_io){.port = (u16)(qualification >> IO_PORT_SHIFT),
                            .size = size,
                            .address_size = instruction.address_size,
                            .in = qualification & IO_IN,
                            .repeated = qualification & IO_REP,
                            .count = 1};
    s->index = s->in ? RDI : RSI;
    s->segment = s->in ? ES : instruction.segment >= 0 ? (enum segment)instruction.segment : DS;
    s->offset = low_bytes(vcpu_gpr(vcpu, s->index), s->address_size);
    s->step = vmread(GUEST_RFLAGS) & RFLAGS_DF ? -(u64)size : size;
    if (s->repeated)
        s->count = low_bytes(vcpu_gpr(vcpu, RCX), s->address_size);
}

static struct operand operand_of(const struct string_io *s, u64 elements)
{
    return (struct operand){s->segment, s->address_size, s->offset, elements * s->size};
}

enum element { ELEMENT_DONE, ELEMENT_FAULT, ELEMENT_STOP };

/* With breakpoints an exit has one element, which comes through here. */
static enum element string_element(const struct string_io *s, struct guest_fault *fault)
{
    struct operand operand = operand_of(s, 1);
    u32 value = 0;
    if (!s->in) {
        if (!operand_read(&operand, &value, fault))
            return ELEMENT_FAULT;
        if (!filtered_out(s->port, s->size, value))
            return ELEMENT_STOP;
    } else {
        /* Asked first: what was read from the port and cannot be stored would be lost. */
        if (!operand_can_write(&operand, fault))
            return ELEMENT_FAULT;
        value = port_in(s->port, s->size);
        if (!operand_write(&operand, &value, fault))
            return ELEMENT_FAULT;
    }
    if (breakpoints_enabled())
        match_breakpoints(BREAKPOINT_PORT, s->port, s->size);
    return ELEMENT_DONE;
}

/* Elements ahead, side by side in one page of RAM, that one translation serves. Without `memory`
 * the next one must go through all checks by itself, and may fault. */
struct span {
    u8 *memory;
    u64 count;
};

static struct span span_ahead(const struct string_io *s, u64 limit)
{
    static const struct span none = {NULL, 1};
    enum access access = s->in ? ACCESS_WRITE : ACCESS_READ;
    struct operand first = operand_of(s, 1);
    struct guest_fault ignored;
    u64 linear, physical;

    if (limit < 2 || s->step != s->size) /* alone, or downwards */
        return none;
    if (!operand_linear(&first, access, &linear, &ignored))
        return none;
    u64 in_page = (PAGE_SIZE - linear % PAGE_SIZE) / s->size;
    u64 count = in_page < limit ? in_page : limit;
    if (s->address_size < 8 && s->offset + count * s->size > BIT(8 * s->address_size)) /* wraps */
        return none;
    struct operand all = operand_of(s, count);
    if (count < 2 || !operand_linear(&all, access, &linear, &ignored)) /* the segment's limit */
        return none;
    if (!guest_translate(linear, access, guest_cpl(), &physical, &ignored))
        return none;
    return (struct span){guest_ram(physical, count * s->size), count};
}

static bool element_from_ram(const struct string_io *s, const u8 *memory)
{
    u32 value = 0;
    memcpy(&value, memory, s->size);
    return filtered_out(s->port, s->size, value);
}

static void step_elements(struct string_io *s, u64 elements)
{
    s->count -= elements;
    s->offset = low_bytes(s->offset + elements * s->step, s->address_size);
}

/* At least one element, at most `limit`, a few or as many as there are. */
static enum element some_elements(struct string_io *s, u64 limit, struct guest_fault *fault)
{
    struct span span = span_ahead(s, limit);
    if (!span.memory) {
        enum element element = string_element(s, fault);
        if (element == ELEMENT_DONE)
            step_elements(s, 1);
        return element;
    }
    if (s->in) { /* what is read is kept from nobody */
        port_in_string(s->port, s->size, span.memory, span.count);
        step_elements(s, span.count);
        return ELEMENT_DONE;
    }
    for (u64 i = 0; i < span.count; i++, step_elements(s, 1))
        if (!element_from_ram(s, span.memory + i * s->size))
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

enum exit_action string_io_instruction(struct vcpu *vcpu, u64 qualification, unsigned size)
{
    struct string_io s;
    decode_string_io(&s, vcpu, qualification, size);
    /* Traps of single steps and breakpoints come after every iteration. */
    bool debugged = (vmread(GUEST_RFLAGS) & RFLAGS_TF) || breakpoints_enabled();
    u64 most = debugged ? 1 : STRING_BATCH;
    u64 end = s.count > most ? s.count - most : 0; /* of what is to be left */
    enum element element = ELEMENT_DONE;
    struct guest_fault fault;
    while (s.count > end && element == ELEMENT_DONE)
        element = some_elements(&s, s.count - end, &fault);
    store_progress(vcpu, &s);
    if (element == ELEMENT_FAULT)
        return inject_fault(vcpu, &fault);
    if (element == ELEMENT_STOP)
        return EXIT_STOP;
    if (!s.count)
        return EXIT_ADVANCE;
    return next_iteration();
}
