/* Ports, and instructions with an operand in memory. */
#include "fuzz/fuzz_code.h"

#define PREFIX_REPNE 0xF2
#define PREFIX_REP 0xF3
#define PREFIX_LOCK 0xF0
#define OPCODE_INS 0x6C
#define OPCODE_OUTS 0x6E
#define OPCODE_IN_IMMEDIATE 0xE4
#define OPCODE_OUT_IMMEDIATE 0xE6
#define OPCODE_IN 0xEC
#define OPCODE_OUT 0xEE
#define WIDE 1 /* in these opcodes: 16 or 32 bits instead of 8 */

/* Reading these has no effect that matters, nor has writing the last; the first read the same
 * always. */
static const u16 steady[] = {0x21, 0x80, 0x84, 0x92, 0xA1, 0xED, 0xF4, 0x3CC, 0x3D4, 0x3FF, 0xCF8};
static const u16 readable[] = {0x40, 0x61, 0x64, 0x71, 0xE9, 0x3C4, 0x3F8, 0x3FA, 0x3FD, 0x3FE};
static const u16 writable[] = {0x80, 0x84, 0x85, 0x8C, 0xED, 0x3FF, 0x2FF, 0x5658};

static bool is_steady(u32 port)
{
    for (u32 i = 0; i < ARRAY_SIZE(steady); i++)
        if (steady[i] == port)
            return true;
    return false;
}

static u32 random_port(struct snippet *s, bool out)
{
    if (out)
        s->touched |= TOUCHED_PORTS;
    if (out)
        return PICK(writable);
    if (fuzz_one_in(2))
        return PICK(steady);
    return fuzz_one_in(16) ? fuzz_below(0x10000) : PICK(readable);
}

static void put_width(struct snippet *s)
{
    if (fuzz_one_in(2))
        put(s, 1, PREFIX_OPERAND_SIZE);
}

static void put_port(struct snippet *s, bool out, u32 port)
{
    bool wide = fuzz_one_in(2);

    if (port < 0x100 && fuzz_one_in(3)) {
        begin(s);
        put_width(s);
        put(s, 1, (out ? OPCODE_OUT_IMMEDIATE : OPCODE_IN_IMMEDIATE) | (wide ? WIDE : 0));
        put(s, 1, port);
        return;
    }
    load(s, RDX, port | (fuzz_random() & ~0xFFFFull));
    begin(s);
    put_width(s);
    put(s, 1, (out ? OPCODE_OUT : OPCODE_IN) | (wide ? WIDE : 0));
}

void fuzz_port(struct snippet *s)
{
    bool out = fuzz_one_in(2);
    u32 port = random_port(s, out);

    put_port(s, out, port);
    if (!out && !is_steady(port))
        fuzz_overwrite(s, ENDED_AT_A_CLOCK, RAX);
}

/* In 16-bit code it would be another place; a null FS with it: docs/fuzz.md. */
static bool may_change_address_size(const struct snippet *s, bool out, bool override)
{
    if (s->bits == 64)
        return !(fuzz_options.compare && override);
    return s->bits == 32 && out;
}

/* Bochs takes a breakpoint on a port for hit by no iteration at all. */
static u32 least_count(const struct snippet *s)
{
    return fuzz_options.compare && (s->touched & TOUCHED_DEBUG_REGISTERS);
}

void fuzz_string_io(struct snippet *s)
{
    static const u8 segments[] = {0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65};
    bool out = fuzz_one_in(2), override = fuzz_one_in(4);

    load(s, RDX, out || !fuzz_options.compare ? random_port(s, out) : PICK(steady));
    load(s, RCX, least_count(s) + fuzz_below(out && fuzz_one_in(256) ? 5000 : 32));
    load(s, out ? RSI : RDI, offset_of(s, out ? random_address(s) : random_store_address(s)));
    begin(s);
    if (override)
        put(s, 1, PICK(segments));
    if (fuzz_one_in(2))
        put(s, 1, fuzz_one_in(4) ? PREFIX_REPNE : PREFIX_REP);
    if (fuzz_one_in(4) && may_change_address_size(s, out, override))
        put(s, 1, PREFIX_ADDRESS_SIZE);
    put_width(s);
    put(s, 1, (out ? OPCODE_OUTS : OPCODE_INS) | fuzz_below(2));
}

#define ANY_REGISTER 0xFF

static const struct memory_instruction {
    u32 prefix, opcode;
    u8 reg; /* ModRM.reg, or ANY_REGISTER */
    bool register_form;
} memory_instructions[] = {
    {0, 0x0F01, 0, false}, /* SGDT */
    {0, 0x0F01, 1, false}, /* SIDT */
    {0, 0x0F01, 4, true},  /* SMSW */
    {0, 0x0F01, 7, false}, /* INVLPG */
    {0, 0x0F00, 0, true},  /* SLDT */
    {0, 0x0F00, 1, true},  /* STR */
    {0, 0x0F00, 4, true},  /* VERR */
    {0, 0x0F00, 5, true},  /* VERW */
    {0x66, 0x0F01, 0, false},
    {0x66, 0x0F00, 0, true},
    {0x66, 0x0F00, 1, true},
    {0, 0x0F02, ANY_REGISTER, true},                      /* LAR */
    {0, 0x0F03, ANY_REGISTER, true},                      /* LSL */
    {0, 0x0FC7, 6, false},                                /* VMPTRLD */
    {0x66, 0x0FC7, 6, false},                             /* VMCLEAR */
    {0xF3, 0x0FC7, 6, false},                             /* VMXON */
    {0, 0x0FC7, 7, false},                                /* VMPTRST */
    {0, 0x0F78, ANY_REGISTER, true},                      /* VMREAD */
    {0, 0x0F79, ANY_REGISTER, true},                      /* VMWRITE */
    {PREFIX_OPERAND_SIZE, 0x0F3880, ANY_REGISTER, false}, /* INVEPT */
    {PREFIX_OPERAND_SIZE, 0x0F3881, ANY_REGISTER, false}, /* INVVPID */
    {PREFIX_OPERAND_SIZE, 0x0F3882, ANY_REGISTER, false}, /* INVPCID */
    {0, 0x0FC7, 3, false},                                /* XRSTORS */
    {0, 0x0FC7, 4, false},                                /* XSAVEC */
    {0, 0x0FC7, 5, false},                                /* XSAVES */
    {0, 0x0FAE, 4, false},                                /* XSAVE */
    {0, 0x0FAE, 5, false},                                /* XRSTOR */
    {0, 0x0FAE, 7, false},                                /* CLFLUSH */
    {0, 0x0FC7, 1, false},                                /* CMPXCHG8B */
    {0, 0x88, ANY_REGISTER, true},                        /* MOV */
    {0, 0x8B, ANY_REGISTER, false},
    {0, 0x87, ANY_REGISTER, false},             /* XCHG */
    {PREFIX_LOCK, 0x0FC1, ANY_REGISTER, false}, /* XADD */
    {PREFIX_LOCK, 0x01, ANY_REGISTER, false},   /* ADD */
    {0, 0xFF, 6, false},                        /* PUSH */
};

/* SGDT, SIDT, SLDT and STR: those that profile `all` intercepts. */
static bool is_stored_in_software(const struct memory_instruction *m)
{
    return (m->opcode == 0x0F00 || m->opcode == 0x0F01) && m->reg < 2;
}

/* Where a table register's two parts do not lie in two pages: Bochs stores one before it faults. */
static u64 table_address(struct snippet *s)
{
    u64 address;

    do
        address = random_store_address(s);
    while (fuzz_options.compare && address % PAGE_SIZE > PAGE_SIZE - 16);
    return address;
}

void fuzz_memory(struct snippet *s)
{
    const struct memory_instruction *m = &PICK(memory_instructions);
    u32 reg = m->reg == ANY_REGISTER ? random_register(s) : m->reg;
    struct operand o;

    if (m->reg == ANY_REGISTER && fuzz_one_in(2))
        load(s, reg, fuzz_below(5)); /* a type of INVEPT and the like */
    if (m->register_form && fuzz_one_in(2)) {
        with_register(s, m->prefix, m->opcode, reg, random_register(s));
        return;
    }
    o = memory_operand(s, is_stored_in_software(m) ? table_address(s) : random_address(s));
    with_operand(s, m->prefix, m->opcode, reg, &o);
}
