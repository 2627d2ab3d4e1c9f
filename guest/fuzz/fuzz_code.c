#include "fuzz/fuzz_code.h"
#include "kernel/descriptors.h"
#include "kernel/memory.h"

#define OPCODE_MOV_IMMEDIATE 0xB8
#define REX 0x40
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define SIB 4     /* ModRM.rm: a SIB byte follows */
#define NO_BASE 5 /* ModRM.rm with mod 0: displacement only, in 64-bit code relative to RIP */
#define NOT_CANONICAL 0x8000000000000000ull
#define UPPER_HALF 0xFFFF800000000000ull

void put(struct snippet *s, u32 bytes, u64 value)
{
    for (u32 i = 0; i < bytes && s->length < SNIPPET_SIZE; i++)
        s->code[s->length++] = (u8)(value >> 8 * i);
}

void begin(struct snippet *s)
{
    if (s->length < SNIPPET_SIZE)
        s->starts[s->length] = true;
}

static void put_opcode(struct snippet *s, u32 opcode)
{
    for (u32 shift = 32; shift;) {
        shift -= 8;
        if (opcode >> shift || !shift)
            put(s, 1, opcode >> shift & 0xFF);
    }
}

void instruction(struct snippet *s, u32 opcode)
{
    begin(s);
    put_opcode(s, opcode);
}

void load(struct snippet *s, u32 gpr, u64 value)
{
    begin(s);
    if (s->bits == 64)
        put(s, 1, REX | REX_W | (gpr >= 8 ? REX_B : 0));
    else if (s->bits == 16)
        put(s, 1, PREFIX_OPERAND_SIZE);
    put(s, 1, OPCODE_MOV_IMMEDIATE + gpr % 8);
    put(s, s->bits == 64 ? 8 : 4, value);
}

u32 random_register(const struct snippet *s)
{
    u32 gpr = fuzz_below(s->bits == 64 ? 16 : 8);

    return gpr == RSP ? RAX : gpr;
}

u64 random_value(void)
{
    switch (fuzz_below(6)) {
    case 0: return fuzz_below(16);
    case 1: return BIT(fuzz_below(64));
    case 2: return ~0ull << fuzz_below(64);
    case 3: return UPPER_HALF | fuzz_random() >> 17;
    case 4: return (u32)fuzz_random();
    default: return fuzz_random();
    }
}

u64 offset_of(struct snippet *s, u64 address)
{
    if (s->bits != 16)
        return address;
    if (address >= WINDOW)
        s->touched |= TOUCHED_CUT;
    return (u32)(address - LOW_MEMORY);
}

/* Tally's memory: the lower half only, since fuzz_check() looks at the upper one. */
static u64 hidden_address(struct snippet *s)
{
    u64 size = fuzz_options.hidden_end - fuzz_options.hidden;

    if (!size)
        return LOW_DATA;
    s->touched |= TOUCHED_HIDDEN;
    return fuzz_options.hidden + fuzz_below((u32)size / 2 - 2 * PAGE_SIZE);
}

u64 random_address(struct snippet *s)
{
    u64 plain = LOW_DATA + fuzz_below(0x800);

    switch (fuzz_below(8)) {
    case 0: return LOW_DATA + PAGE_SIZE - fuzz_below(16);
    case 1: return WINDOW_PAGE(fuzz_below(WINDOW_PAGES)) + fuzz_below(PAGE_SIZE);
    case 2: return WINDOW_PAGE(1 + fuzz_below(WINDOW_PAGES)) - fuzz_below(16);
    case 3:
        return s->bits == 16 || s->unpaged /* cut to 16 bits, it may be anywhere */
                   ? plain
                   : hidden_address(s);
    case 4: return s->bits == 64 ? plain | NOT_CANONICAL : plain;
    case 5: return s->bits == 64 ? plain | UPPER_HALF : plain;
    default: return align_down(plain, 64);
    }
}

u64 random_store_address(struct snippet *s)
{
    u64 address;

    do
        address = random_address(s);
    while (fuzz_options.compare &&
           address - fuzz_options.hidden < fuzz_options.hidden_end - fuzz_options.hidden);
    return address;
}

static void choose_16_bit_operand(struct snippet *s, struct operand *o)
{
    static const struct {
        u8 rm, gpr;
    } forms[] = {{4, RSI}, {5, RDI}, {7, RBX}};
    u32 form = fuzz_below(ARRAY_SIZE(forms));

    o->base = forms[form].rm;
    load(s, forms[form].gpr, (u16)(o->address - o->displacement));
}

/* Base and index must differ: both are loaded. */
static void choose_operand(struct snippet *s, struct operand *o)
{
    u64 index_value = fuzz_below(256);

    o->base = (u8)random_register(s);
    o->index = fuzz_one_in(2) ? (u8)random_register(s) : RSP;
    if (o->index == o->base)
        o->index = RSP; /* none */
    o->scale = o->index == RSP ? 0 : (u8)fuzz_below(4);
    if (o->mod == 0 && o->base % 8 == RBP)
        o->mod = 1;
    if (o->index == RSP)
        index_value = 0;
    else
        load(s, o->index, index_value);
    load(s, o->base, o->address - (index_value << o->scale) - (u64)(signed int)o->displacement);
}

struct operand memory_operand(struct snippet *s, u64 address)
{
    struct operand o = {
        .address = offset_of(s, address), .address_bits = (u8)s->bits, .mod = (u8)fuzz_below(3)};

    if (s->bits == 16 && fuzz_one_in(2))
        o.address_bits = 32;
    if (s->bits == 64 && fuzz_one_in(8))
        o.address_bits = 32;
    if (o.mod)
        o.displacement = (u32)(signed char)fuzz_random();
    if (o.mod == 2)
        o.displacement *= 16;
    if (s->bits == 64 && address < GIB && fuzz_one_in(6))
        o.relative_to_rip = true;
    else if (o.address_bits == 16)
        choose_16_bit_operand(s, &o);
    else
        choose_operand(s, &o);
    return o;
}

static void put_prefixes(struct snippet *s, u32 prefix, u32 opcode, u32 rex)
{
    static const u8 segments[] = {0x2E, 0x36, 0x3E, 0x26};

    begin(s);
    if (fuzz_one_in(8))
        put(s, 1, PICK(segments));
    if (prefix)
        put_opcode(s, prefix);
    if (s->bits == 64 && (fuzz_one_in(8) || fuzz_wants_rex_w(opcode)))
        rex |= REX_W;
    if (s->bits == 64 && rex)
        put(s, 1, REX | rex);
    put_opcode(s, opcode);
}

static void put_address(struct snippet *s, u32 reg, const struct operand *o)
{
    u32 modrm = (u32)o->mod << 6 | reg % 8 << 3;

    if (o->address_bits == 16) {
        put(s, 1, modrm | o->base);
    } else {
        bool sib = o->index != RSP || o->base % 8 == RSP;

        put(s, 1, modrm | (sib ? SIB : o->base % 8u));
        if (sib)
            put(s, 1, o->scale << 6 | o->index % 8 << 3 | o->base % 8);
    }
    if (o->mod)
        put(s, o->mod == 1 ? 1 : o->address_bits == 16 ? 2 : 4, o->displacement);
}

void with_operand(struct snippet *s, u32 prefix, u32 opcode, u32 reg, const struct operand *o)
{
    u32 rex = reg >= 8 ? REX_R : 0;

    if (!o->relative_to_rip)
        rex |= (o->index >= 8 ? REX_X : 0) | (o->base >= 8 ? REX_B : 0);
    if (o->address_bits != s->bits)
        prefix = prefix << 8 | PREFIX_ADDRESS_SIZE;
    put_prefixes(s, prefix, opcode, rex);
    if (!o->relative_to_rip) {
        put_address(s, reg, o);
        return;
    }
    put(s, 1, reg % 8 << 3 | NO_BASE);
    put(s, 4, o->address - (LOW_MEMORY + s->length + 4));
}

void with_register(struct snippet *s, u32 prefix, u32 opcode, u32 reg, u32 rm)
{
    put_prefixes(s, prefix, opcode, (reg >= 8 ? REX_R : 0) | (rm >= 8 ? REX_B : 0));
    put(s, 1, MODRM_REGISTER | reg % 8 << 3 | rm % 8);
}
