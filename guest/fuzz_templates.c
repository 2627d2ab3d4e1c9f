/*
 * The kinds of instructions that a snippet is made of. In ring 0 no operand here can destroy what
 * the way back into this kernel needs: that is the rule for new ones.
 */
#include "descriptors.h"
#include "fuzz_code.h"
#include "instruction_test.h"
#include "legacy.h"
#include "memory.h"
#include "statistics.h"
#include "x86/msr.h"

#define OPCODE_NOP 0x90
#define OPCODE_CLI 0xFA
#define OPCODE_STI 0xFB
#define OPCODE_CLD 0xFC
#define OPCODE_STD 0xFD
#define OPCODE_HLT 0xF4
#define OPCODE_MWAIT 0x0F01C9
#define OPCODE_INT 0xCD
#define OPCODE_CPUID 0x0FA2
#define OPCODE_RDMSR 0x0F32
#define OPCODE_WRMSR 0x0F30
#define OPCODE_XSETBV 0x0F01D1
#define OPCODE_MOV_FROM_CR 0x0F20
#define OPCODE_MOV_FROM_DR 0x0F21
#define OPCODE_MOV_TO_CR 0x0F22
#define OPCODE_MOV_TO_DR 0x0F23
#define OPCODE_MOV_TO_SEGMENT 0x8E
#define OPCODE_TABLES 0x0F01
#define OPCODE_SELECTORS 0x0F00
#define OPCODE_JMP_SHORT 0xEB

/* clang-format off */
static const u32 plain[] = {
    OPCODE_CPUID, 0x0F31 /* RDTSC */, 0x0F01F9 /* RDTSCP */, 0x0F33 /* RDPMC */, 0xF390 /* PAUSE */,
    0x0F01C1 /* VMCALL */, 0x0F01C2 /* VMLAUNCH */, 0x0F01C3 /* VMRESUME */, 0x0F01C4 /* VMXOFF */,
    0x0F01D4 /* VMFUNC */, 0x0F01C8 /* MONITOR */, 0x0F08 /* INVD */,
    0x0F09 /* WBINVD */, 0xF30F09 /* WBNOINVD */, 0x0F06 /* CLTS */, 0x0FAA /* RSM */, 0x0F0B /* UD2 */,
    0xCC /* INT3 */, 0xF1 /* INT1 */, 0xCE /* INTO */, 0x0F37 /* GETSEC */, 0x0F01CF /* ENCLS */,
    0x0F01D7 /* ENCLU */, 0x0F01C0 /* ENCLV */, 0x0F01C5 /* PCONFIG */, 0x0F01D0 /* XGETBV */,
    0x0F01D5 /* XEND */, 0x0F01D6 /* XTEST */, 0x0F01F8 /* SWAPGS */, 0x0F01E8 /* SERIALIZE */,
    0x0F01EE /* RDPKRU */, 0x0F01CA /* CLAC */,
    0x0FC7F1 /* RDRAND */, 0x0FC7FA /* RDSEED */, 0xF30FC7F8 /* RDPID */, 0x660FAEF1 /* TPAUSE */,
    0xF30FAEC0 /* RDFSBASE */, 0x9B /* WAIT */, OPCODE_NOP, OPCODE_STI, OPCODE_CLI, 0x9C /* PUSHF */,
    0xF7F1 /* DIV */, 0x27 /* DAA */, 0x63C0, 0x0FFF,
};
/* clang-format on */

static void random_plain(struct snippet *s)
{
    if (fuzz_one_in(3))
        load(s, fuzz_below(4), random_value());
    instruction(s, PICK(plain));
    if (s->code[s->length - 1] == OPCODE_STI && fuzz_one_in(2))
        instruction(s, PICK(plain)); /* in its shadow */
}

static void random_cpuid(struct snippet *s)
{
    static const u32 leaves[] = {0, 0x40000000, 0x80000000, LEAF_REASON_CYCLES, LEAF_INFO};
    u32 leaf = PICK(leaves) + fuzz_below(fuzz_one_in(4) ? 0x100 : 0x20);

    load(s, RAX, fuzz_one_in(8) ? fuzz_random() : leaf);
    load(s, RCX, fuzz_one_in(8) ? fuzz_random() : fuzz_below(EXIT_REASONS + 8));
    instruction(s, OPCODE_CPUID);
}

static void random_rdmsr(struct snippet *s)
{
    static const u32 ranges[] = {0, 0x800, 0xC0000000, 0xC0000080, 0x40000000, 0x4B564D00};
    u32 number = PICK(ranges) + fuzz_below(fuzz_one_in(2) ? 0x40 : 0x2000);

    if (fuzz_one_in(2))
        number = fuzz_msrs[fuzz_below(fuzz_msrs_count)].number;
    load(s, RCX, fuzz_one_in(16) ? fuzz_random() : number);
    instruction(s, OPCODE_RDMSR);
}

static u64 msr_value(const struct fuzz_msr *msr)
{
    switch (msr->values) {
    case FLIP_BITS: return msr->value ^ (fuzz_random() & fuzz_random() & msr->flips);
    case NEAR: return msr->value + fuzz_below(1u << 20);
    default: return random_value();
    }
}

static bool is_mtrr(u32 msr)
{
    return msr >= IA32_MTRR_PHYSBASE0 && msr <= IA32_MTRR_DEF_TYPE && msr != IA32_PAT;
}

static void random_wrmsr(struct snippet *s)
{
    u32 index = fuzz_below(fuzz_msrs_count);

    if (is_mtrr(fuzz_msrs[index].number) && !fuzz_one_in(256)) /* Tally maps all memory anew */
        return;
    u64 value = msr_value(&fuzz_msrs[index]);

    load(s, RCX, fuzz_msrs[index].number);
    load(s, RAX, (u32)value);
    load(s, RDX, value >> 32);
    instruction(s, OPCODE_WRMSR);
    s->touched |= BIT(index);
}

static u64 cr0_value(const struct snippet *s)
{
    static const u64 bad[] = {CR0_PG, CR0_NW, CR0_PG | CR0_NE, CR0_PG | CR0_NW | CR0_PE};
    u64 flips = CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_CD;
    u64 value = fuzz_controls.cr0 ^ (fuzz_random() & flips);

    if (fuzz_one_in(8))
        return s->mode == MODE_REAL || s->mode == MODE_P16 ? CR0_PG | CR0_NW : PICK(bad);
    if (s->mode == MODE_REAL)
        value &= ~CR0_PE;
    if (s->mode == MODE_REAL || s->mode == MODE_P16)
        value &= ~CR0_PG;
    if (s->bits == 64 && fuzz_one_in(8))
        value |= BIT(32 + fuzz_below(32));
    return value;
}

static u64 cr4_value(const struct snippet *s)
{
    u64 flips = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE | CR4_PGE | CR4_PCE |
                CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE;
    u64 value = fuzz_controls.cr4 ^ (fuzz_random() & fuzz_random() & flips);

    if (fuzz_one_in(4))
        value |= s->legacy ? CR4_LA57 : CR4_PCIDE;
    if (under_tally() && fuzz_one_in(8))
        value |= CR4_VMXE | CR4_SMXE;
    if (fuzz_one_in(8))
        value |= BIT(25 + fuzz_below(s->bits == 64 ? 39 : 7));
    return value;
}

static u64 cr3_value(const struct snippet *s)
{
    u64 value = s->legacy ? (u64)pae_pointers : fuzz_controls.cr3;

    if (!s->legacy && fuzz_one_in(2))
        value = fuzz_controls.closed_cr3;
    value |= fuzz_below(4) << 3; /* PWT and PCD */
    if (s->bits == 64 && fuzz_one_in(4))
        value |= BIT(52 + fuzz_below(12));
    return value;
}

static void mov_to_cr(struct snippet *s, u32 cr, u64 value)
{
    u32 gpr = random_register(s);

    load(s, gpr, value);
    with_register(s, 0, OPCODE_MOV_TO_CR, cr, gpr);
}

static void random_cr_write(struct snippet *s)
{
    switch (fuzz_below(4)) {
    case 0: mov_to_cr(s, 0, cr0_value(s)); break;
    case 1: mov_to_cr(s, 4, cr4_value(s)); break;
    case 2:
        mov_to_cr(s, 3, cr3_value(s));
        s->touched |= TOUCHED_CR3;
        break;
    default: /* the interrupt that ends HLT must not stay blocked */
        mov_to_cr(s, s->bits == 64 ? 8 : 5, fuzz_one_in(4) ? random_value() : fuzz_below(16));
        mov_to_cr(s, s->bits == 64 ? 8 : 6, 0);
    }
}

static void random_cr_read(struct snippet *s)
{
    with_register(s, 0, OPCODE_MOV_FROM_CR, fuzz_below(s->bits == 64 ? 16 : 8), random_register(s));
}

static void random_lmsw(struct snippet *s)
{
    u32 gpr = random_register(s);
    u64 keep = s->mode == MODE_REAL ? ~CR0_PE : ~0ull;

    load(s, gpr, random_value() & keep);
    with_register(s, 0, OPCODE_TABLES, 6, gpr);
}

/* Breakpoints lie where this kernel itself does nothing. */
static void random_debug_register(struct snippet *s)
{
    u32 gpr = random_register(s), dr = fuzz_below(8);
    u64 value = dr < 4 ? (fuzz_one_in(2) ? LOW_DATA + fuzz_below(64) : LOW_MEMORY + fuzz_below(256))
                       : fuzz_random() & 0xFFFFE7FF; /* of DR7: without reserved bits */

    if (fuzz_one_in(3)) {
        with_register(s, 0, OPCODE_MOV_FROM_DR, dr, gpr);
        return;
    }
    if (dr < 4 && fuzz_one_in(4))
        value = 0x80;
    if (dr >= 4 && s->bits == 64 && fuzz_one_in(8))
        value |= BIT(32 + fuzz_below(32));
    load(s, gpr, value);
    with_register(s, 0, OPCODE_MOV_TO_DR, dr, gpr);
    s->touched |= TOUCHED_DEBUG_REGISTERS;
}

static void random_xsetbv(struct snippet *s)
{
    load(s, RCX, fuzz_one_in(8) ? random_value() : 0);
    load(s, RAX, fuzz_one_in(2) ? fuzz_below(8) : fuzz_below(256) & fuzz_random());
    load(s, RDX, fuzz_one_in(8) ? random_value() : 0);
    instruction(s, OPCODE_XSETBV);
    s->touched |= TOUCHED_XCR0;
}

static void random_selector(struct snippet *s)
{
    static const u16 selectors[] = {0,
                                    SELECTOR_TSS,
                                    SELECTOR_LDT,
                                    SELECTOR_NOT_PRESENT,
                                    SELECTOR_CODE64,
                                    SELECTOR_DATA | 3,
                                    0xFFF8,
                                    4};
    u32 gpr = random_register(s);

    load(s, gpr, PICK(selectors) | (fuzz_random() & ~0xFFFFull));
    with_register(s, 0, OPCODE_SELECTORS, fuzz_one_in(2) ? 2 : 3, gpr);
    s->touched |= TOUCHED_TABLES;
}

/* LGDT and LIDT with the tables that are loaded, or with an operand out of reach. */
static void random_table_load(struct snippet *s)
{
    bool idt = fuzz_one_in(2);
    u64 table = (u64)(idt ? &fuzz_controls.idtr : &fuzz_controls.gdtr);
    struct operand o;

    if (s->legacy)
        table = WINDOW_PAGE(WINDOW_MISSING); /* its IDT is another one */
    if (s->legacy && s->mode != MODE_P32 && s->mode != MODE_P32_USER)
        return;
    if (fuzz_one_in(3))
        table = WINDOW_PAGE(WINDOW_MISSING) + fuzz_below(4000);
    o = memory_operand(s, table);
    if (!s->user && s->bits == 16 && o.address_bits == 16)
        return; /* the address would be cut */
    with_operand(s, 0, OPCODE_TABLES, idt ? 3 : 2, &o);
    s->touched |= TOUCHED_TABLES;
}

static void random_interrupt(struct snippet *s)
{
    u32 vector = fuzz_below(fuzz_one_in(2) ? 32 : 256);

    begin(s);
    put(s, 1, OPCODE_INT);
    put(s, 1, vector);
    instruction(s, OPCODE_NOP); /* for a fault, on_exception() goes on behind the next one */
}

static void random_halt(struct snippet *s)
{
    instruction(s, OPCODE_STI);
    if (fuzz_one_in(4))
        instruction(s, PICK(plain));
    instruction(s, OPCODE_STI);
    instruction(s, fuzz_one_in(4) ? OPCODE_MWAIT : OPCODE_HLT);
}

/* The next instruction runs in the shadow. */
static void random_mov_ss(struct snippet *s)
{
    static const u16 stacks[MODES] = {
        [MODE_64] = SELECTOR_DATA,    [MODE_64_USER] = SELECTOR_USER_DATA,
        [MODE_32] = SELECTOR_DATA,    [MODE_32_USER] = SELECTOR_USER_DATA,
        [MODE_16] = SELECTOR_DATA16,  [MODE_16_USER] = SELECTOR_USER_DATA16,
        [MODE_P32] = SELECTOR_DATA,   [MODE_P32_USER] = SELECTOR_USER_DATA,
        [MODE_P16] = SELECTOR_DATA16, [MODE_P16_USER] = SELECTOR_USER_DATA16,
        [MODE_V86] = LOW_MEMORY / 16, [MODE_REAL] = LOW_MEMORY / 16,
    };
    u32 gpr = random_register(s);

    load(s, gpr, stacks[s->mode]);
    with_register(s, 0, OPCODE_MOV_TO_SEGMENT, SS, gpr);
    instruction(s, PICK(plain));
}

static void random_jump(struct snippet *s)
{
    u32 distance = fuzz_below(4);

    begin(s);
    put(s, 1, OPCODE_JMP_SHORT);
    put(s, 1, distance);
    put(s, distance, 0x90909090);
}

static void random_load(struct snippet *s)
{
    load(s, random_register(s), fuzz_one_in(2) ? random_value() : random_address(s));
}

static void random_direction(struct snippet *s)
{
    instruction(s, fuzz_one_in(2) ? OPCODE_CLD : OPCODE_STD);
}

static const struct {
    void (*make)(struct snippet *s);
    u32 weight;
} templates[] = {
    {random_plain, 20},   {random_cpuid, 8},          {random_rdmsr, 8},     {random_wrmsr, 8},
    {fuzz_port, 8},       {fuzz_string_io, 6},        {random_cr_write, 8},  {random_cr_read, 4},
    {random_lmsw, 2},     {random_debug_register, 5}, {random_xsetbv, 3},    {fuzz_memory, 16},
    {random_selector, 2}, {random_table_load, 2},     {random_interrupt, 2}, {random_halt, 1},
    {random_mov_ss, 2},   {random_jump, 1},           {random_load, 3},      {random_direction, 1},
};

static void put_template(struct snippet *s)
{
    u32 at = 0;

    for (u32 i = 0; i < ARRAY_SIZE(templates); i++)
        at += templates[i].weight;
    at = fuzz_below(at);
    for (u32 i = 0; i < ARRAY_SIZE(templates); i++) {
        if (at < templates[i].weight) {
            templates[i].make(s);
            return;
        }
        at -= templates[i].weight;
    }
}

/* Virtual-8086 code may close itself to interrupts: not by these, or no timer brings it back. */
static bool unwanted(const struct snippet *s, u8 byte)
{
    return s->mode == MODE_V86 && (byte == OPCODE_CLI || byte == 0x9D || byte == 0xCF);
}

static void put_raw(struct snippet *s)
{
    for (u32 i = 16 + fuzz_below(100); i; i--) {
        u8 byte = fuzz_one_in(6) ? 0x0F : (u8)fuzz_random();

        begin(s);
        put(s, 1, unwanted(s, byte) ? OPCODE_NOP : byte);
    }
}

static enum mode random_mode(void)
{
    static const u8 modes[] = {
        MODE_64, MODE_64,      MODE_64,      MODE_64,      MODE_64,      MODE_64,
        MODE_64, MODE_64_USER, MODE_64_USER, MODE_64_USER, MODE_32,      MODE_32,
        MODE_32, MODE_16,      MODE_16,      MODE_32_USER, MODE_16_USER,
    };

    return fuzz_one_in(6) ? (enum mode)fuzz_below(MODES) : (enum mode)PICK(modes);
}

void fuzz_make_snippet(struct snippet *s)
{
    static const u8 bits[MODES] = {64, 64, 32, 32, 16, 16, 32, 32, 16, 16, 16, 16};
    enum mode mode = random_mode();

    *s = (struct snippet){
        .mode = mode,
        .bits = bits[mode],
        .user = (IN_USER >> mode & 1),
        .legacy = mode >= MODE_P32,
    };
    s->raw = s->user && mode != MODE_P16_USER && fuzz_one_in(3);
    if (s->raw)
        put_raw(s);
    for (u32 i = 4 + fuzz_below(24); i && !s->raw && s->length < SNIPPET_SIZE - 128; i--)
        put_template(s);
}
