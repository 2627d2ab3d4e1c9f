/* Breakpoints on what is made behind them: most of it is intercepted in one profile or another. */
#include "fuzz/fuzz_code.h"
#include "kernel/descriptors.h"

#define OPCODE_MOV_TO_DR 0x0F23
#define OPCODE_OUT 0xEE
#define DR7_LOCAL(n) (1u << 2 * (n))
#define DR7_CONDITION(n, condition, length) (((condition) | (length) << 2) << (16 + 4 * (n)))

enum condition { ON_EXECUTION, ON_WRITE, ON_IO, ON_ACCESS };

static u32 random_start(const struct snippet *s, u32 from)
{
    u32 at = from + fuzz_below(s->length - from);

    while (!s->starts[at] && at > from)
        at--;
    return at;
}

static void patch(struct snippet *s, u32 at, u32 value)
{
    for (u32 i = 0; i < 4; i++)
        s->code[at + i] = (u8)(value >> 8 * i);
}

/* What the breakpoint is to meet; returns where it lies. */
static u32 put_target(struct snippet *s, enum condition condition)
{
    static const u32 opcodes[] = {0x89, 0x8B, 0x01, 0x87, 0x0FC1};
    u32 from = s->length, address = LOW_DATA + 64 * fuzz_below(4);
    struct operand o;

    switch (condition) {
    case ON_EXECUTION:
        do
            fuzz_template(s);
        while (s->length == from);
        return LOW_MEMORY + random_start(s, from);
    case ON_IO:
        load(s, RDX, 0x80);
        instruction(s, OPCODE_OUT);
        s->touched |= TOUCHED_PORTS;
        return 0x80;
    default:
        o = memory_operand(s, address + fuzz_below(8));
        with_operand(s, 0, PICK(opcodes), random_register(s), &o);
        return address;
    }
}

static void mov_to_dr(struct snippet *s, u32 dr, u64 value)
{
    u32 gpr = random_register(s);

    load(s, gpr, value);
    with_register(s, 0, OPCODE_MOV_TO_DR, dr, gpr);
}

void fuzz_breakpoint(struct snippet *s)
{
    enum condition condition = fuzz_below(4);
    u32 n = fuzz_below(4), length = condition == ON_EXECUTION ? 0 : fuzz_below(4);
    u32 bytes = s->bits == 64 ? 8 : 4, gpr = random_register(s), at;

    if (s->user || s->changes_idt || s->length > SNIPPET_SIZE / 2)
        return;
    if (condition == ON_IO)
        fuzz_mov_to_cr(s, 4, fuzz_cr4_for(s, fuzz_controls.cr4 | CR4_DE));
    load(s, gpr, 0);
    at = s->length - bytes;
    with_register(s, 0, OPCODE_MOV_TO_DR, n, gpr);
    mov_to_dr(s, 7, DR7_FIXED | DR7_LOCAL(n) | DR7_CONDITION(n, condition, length));
    s->touched |= TOUCHED_DEBUG_REGISTERS;
    patch(s, at, put_target(s, condition));
}
