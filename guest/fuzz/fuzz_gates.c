/* Templates of far calls through a call gate, into the same ring or an inner one, and back. */
#include "fuzz/fuzz_code.h"
#include "kernel/descriptors.h"

#define OPCODE_CALL_FAR 0x9A
#define OPCODE_CALL_INDIRECT 0x1DFF /* FF /3, relative to RIP */
#define OPCODE_JMP_SHORT 0xEB
#define OPCODE_RETF 0xCB
#define REX_W 0x48
#define GATE_PRESENT 0x80
#define GATE_16_BIT 4
#define GATE_WIDE 12

/* Code that the gate leads to. */
struct target {
    u16 selector;
    u8 bits;
};

static struct target random_target(const struct snippet *s)
{
    static const struct target targets[] = {
        {SELECTOR_CODE32, 32},
        {SELECTOR_CODE16, 16},
        {SELECTOR_USER_CODE32, 32},
        {SELECTOR_USER_CODE16, 16},
        {SELECTOR_NOT_PRESENT, 32},
        {SELECTOR_DATA, 32},
        {0, 32},
    };
    static const struct target wide[] = {{SELECTOR_CODE64, 64}, {SELECTOR_USER_CODE64, 64}};

    if (s->legacy || fuzz_one_in(8))
        return targets[fuzz_below(fuzz_one_in(8) ? ARRAY_SIZE(targets) : 4)];
    return PICK(wide);
}

/* Returns how wide what it pushes is. */
static u32 make_gate(struct snippet *s, const struct target *target)
{
    u32 at = s->length + (target->bits == 16 ? 0 : LOW_MEMORY), type = GATE_WIDE;
    u32 parameters = s->legacy && fuzz_one_in(4) ? fuzz_below(4) : 0;
    u64 access = fuzz_one_in(8) ? 0 : GATE_PRESENT, dpl = fuzz_one_in(8) ? fuzz_below(4) : 3;

    if (fuzz_one_in(s->legacy ? 4 : 32))
        type = GATE_16_BIT;
    access |= dpl << 5 | type;
    s->call_gate[0] = (at & 0xFFFF) | (u64)target->selector << 16 | (u64)parameters << 32 |
                      access << 40 | (u64)(at >> 16) << 48;
    if (!s->legacy)
        s->call_gate[1] = fuzz_one_in(16) ? BIT(31 + fuzz_below(16)) : 0;
    return type == GATE_16_BIT ? 16 : s->legacy ? 32 : 64;
}

static void put_return(struct snippet *s, u32 bits, u32 width)
{
    begin(s);
    if (width == 64)
        put(s, 1, REX_W);
    else if (width != (bits == 64 ? 32 : bits))
        put(s, 1, PREFIX_OPERAND_SIZE);
    put(s, 1, OPCODE_RETF);
}

/* What runs behind the gate: none whose result is left out until it is overwritten. */
static void put_called(struct snippet *s, u32 bits)
{
    static void (*const templates[])(struct snippet *) = {fuzz_cr_read, fuzz_selector,
                                                          fuzz_segment_load, fuzz_cr_write};
    u32 own = s->bits;

    s->bits = bits;
    for (u32 i = fuzz_below(3); i; i--)
        PICK(templates)(s);
    s->bits = own;
}

/* CALL; JMP to the end; the pointer, in 64-bit code; what the gate leads to, with its return. */
void fuzz_call_gate(struct snippet *s)
{
    u16 selector = SELECTOR_CALL_GATE | (fuzz_one_in(8) ? fuzz_below(4) : s->user ? 3 : 0);
    struct target target = random_target(s);
    u32 jump, width;

    if (s->mode == MODE_REAL || s->mode == MODE_V86 || s->call_gate[0] ||
        s->length > SNIPPET_SIZE / 2)
        return;
    begin(s);
    if (s->bits == 64) {
        put(s, 2, OPCODE_CALL_INDIRECT);
        put(s, 4, 2); /* behind the JMP */
    } else {
        put(s, 1, OPCODE_CALL_FAR);
        put(s, s->bits / 8, fuzz_random());
        put(s, 2, selector);
    }
    instruction(s, OPCODE_JMP_SHORT);
    put(s, 1, 0);
    jump = s->length;
    if (s->bits == 64) {
        put(s, 4, fuzz_random());
        put(s, 2, selector);
    }
    width = make_gate(s, &target);
    put_called(s, target.bits);
    put_return(s, target.bits, width);
    s->code[jump - 1] = (u8)(s->length - jump);
}
