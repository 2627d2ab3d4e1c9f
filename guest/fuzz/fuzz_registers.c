/*
 * Templates of CPUID, MSRs and the system's registers. In ring 0 no value here can destroy what the
 * way back into this kernel needs: that is the rule for new ones.
 */
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "fuzz/fuzz_code.h"
#include "harness/legacy.h"
#include "kernel/memory.h"
#include "kernel/statistics.h"
#include "x86/msr.h"

#define OPCODE_CPUID 0x0FA2
#define ICR_SELF_LOW (0x40000 | VECTOR_LOW)
#define OPCODE_RDMSR 0x0F32
#define OPCODE_WRMSR 0x0F30
#define OPCODE_XSETBV 0x0F01D1
#define OPCODE_LEA_EAX_EAX 0x808D /* with a displacement of 32 bits, and no change of flags */
#define OPCODE_MOV_FROM_CR 0x0F20
#define OPCODE_MOV_FROM_DR 0x0F21
#define OPCODE_MOV_TO_CR 0x0F22
#define OPCODE_MOV_TO_DR 0x0F23
#define OPCODE_TABLES 0x0F01

void fuzz_cpuid(struct snippet *s)
{
    static const u32 leaves[] = {0, 0x40000000, 0x80000000, LEAF_REASON_CYCLES, LEAF_INFO};
    u32 leaf = PICK(leaves) + fuzz_below(fuzz_one_in(4) ? 0x100 : 0x20);

    if (fuzz_one_in(8))
        leaf = (u32)fuzz_random();
    if (fuzz_is_own_leaf(leaf))
        leaf = 1;
    load(s, RAX, leaf);
    load(s, RCX, fuzz_one_in(8) ? fuzz_random() : fuzz_below(EXIT_REASONS + 8));
    instruction(s, OPCODE_CPUID);
    fuzz_clear_hidden_bits(s, leaf);
}

void fuzz_rdmsr(struct snippet *s)
{
    static const u32 ranges[] = {0, 0x800, 0xC0000000, 0xC0000080, 0x40000000, 0x4B564D00};
    u32 number = PICK(ranges) + fuzz_below(fuzz_one_in(2) ? 0x40 : 0x2000);

    if (fuzz_one_in(2))
        number = fuzz_msrs[fuzz_below(fuzz_msrs_count)].number;
    if (fuzz_one_in(16))
        number = (u32)fuzz_random();
    if (fuzz_is_hidden_msr(number))
        number = IA32_PAT;
    load(s, RCX, number);
    instruction(s, OPCODE_RDMSR);
    if (fuzz_is_clock_msr(number)) {
        fuzz_overwrite(s, ENDED_AT_A_CLOCK, RAX);
        fuzz_overwrite(s, ENDED_AT_A_CLOCK, RDX);
    }
}

/* Each bit is set one time in four. */
static u64 fuzz_few_bits(void)
{
    u64 half = fuzz_random();

    return half & fuzz_random();
}

static u64 msr_value(const struct fuzz_msr *msr)
{
    switch (msr->values) {
    case SELF_IPI: return ICR_SELF_LOW | (fuzz_one_in(4) ? BIT(24 + fuzz_below(8)) : 0);
    case FLIP_BITS: return msr->value ^ (fuzz_few_bits() & msr->flips);
    default: return random_value();
    }
}

static bool is_mtrr(u32 msr)
{
    return msr >= IA32_MTRR_PHYSBASE0 && msr <= IA32_MTRR_DEF_TYPE && msr != IA32_PAT;
}

void fuzz_mov_to_cr(struct snippet *s, u32 cr, u64 value)
{
    u32 gpr = random_register(s);

    load(s, gpr, value);
    with_register(s, 0, OPCODE_MOV_TO_CR, cr, gpr);
}

bool fuzz_is_32_bit_paged(const struct snippet *s)
{
    return s->mode == MODE_N32 || s->mode == MODE_N32_USER;
}

/* As the mode's own paging needs it. */
u64 fuzz_cr4_for(const struct snippet *s, u64 value)
{
    return fuzz_is_32_bit_paged(s) ? (value & ~(u64)CR4_PAE) | CR4_PSE : value;
}

u64 fuzz_cr3_for(const struct snippet *s)
{
    if (fuzz_is_32_bit_paged(s))
        return (u64)page_directory_32;
    return s->legacy ? (u64)pae_pointers : fuzz_controls.cr3;
}

static void flush_tlb(struct snippet *s)
{
    fuzz_mov_to_cr(s, 3, fuzz_cr3_for(s));
    s->touched |= TOUCHED_CR3;
}

static bool is_unpaged(const struct snippet *s)
{
    return s->unpaged || s->mode == MODE_P16 || s->mode == MODE_REAL;
}

/* The MSR of a clock gets a little more than it has. */
static void write_near(struct snippet *s)
{
    instruction(s, OPCODE_RDMSR);
    s->unequal[s->length] = ENDED_AT_A_CLOCK;
    begin(s);
    if (s->bits == 16)
        put(s, 2, PREFIX_OPERAND_SIZE | PREFIX_ADDRESS_SIZE << 8);
    put(s, 2, OPCODE_LEA_EAX_EAX);
    put(s, 4, fuzz_below(1u << 20));
    s->unequal[s->length] = ENDED_AT_A_CLOCK;
    instruction(s, OPCODE_WRMSR);
    fuzz_overwrite(s, ENDED_AT_A_CLOCK, RAX);
    fuzz_overwrite(s, ENDED_AT_A_CLOCK, RDX);
}

void fuzz_wrmsr(struct snippet *s)
{
    u32 index = fuzz_below(fuzz_msrs_count);

    if (is_mtrr(fuzz_msrs[index].number) && !fuzz_one_in(256)) /* Tally maps all memory anew */
        return;
    load(s, RCX, fuzz_msrs[index].number);
    if (fuzz_msrs[index].values == NEAR) {
        write_near(s);
    } else {
        u64 value = msr_value(&fuzz_msrs[index]);

        if (fuzz_msrs[index].number == IA32_EFER && is_unpaged(s))
            value &= ~EFER_LME; /* with paging it would be IA-32e mode, without its tables */
        load(s, RAX, (u32)value);
        load(s, RDX, value >> 32);
        instruction(s, OPCODE_WRMSR);
    }
    if (fuzz_msrs[index].number == IA32_EFER && fuzz_options.compare)
        flush_tlb(s); /* a page with XD set may be known from before, or not */
    s->touched |= BIT(index);
}

static u64 flip_cr0(void)
{
    u64 flips =
        CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM | CR0_CD | (fuzz_options.compare ? 0 : CR0_NE);

    return fuzz_controls.cr0 ^ (fuzz_random() & flips);
}

u64 fuzz_cr0_with(u64 modes)
{
    return (flip_cr0() & ~(CR0_PE | CR0_PG)) | modes;
}

static u64 cr0_value(const struct snippet *s)
{
    static const u64 bad[] = {CR0_PG, CR0_NW, CR0_PG | CR0_NE, CR0_PG | CR0_NW | CR0_PE};
    u64 value = flip_cr0();

    if (fuzz_one_in(8))
        return s->mode == MODE_REAL || s->mode == MODE_P16 ? CR0_PG | CR0_NW : PICK(bad);
    if (s->mode == MODE_REAL)
        value &= ~CR0_PE;
    if (is_unpaged(s))
        value &= ~CR0_PG;
    if (s->bits == 64 && fuzz_one_in(8))
        value |= BIT(32 + fuzz_below(32));
    return value;
}

static u64 cr4_value(const struct snippet *s)
{
    u64 flips = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE | CR4_PGE | CR4_PCE |
                CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE;
    u64 value = fuzz_cr4_for(s, fuzz_controls.cr4 ^ (fuzz_few_bits() & flips));

    if (fuzz_is_32_bit_paged(s) && fuzz_one_in(8))
        value |= CR4_PAE; /* refused: what CR3 points to are no PDPTEs */
    if (fuzz_one_in(4))
        value |= s->legacy ? CR4_LA57 : CR4_PCIDE;
    if (fuzz_one_in(8) && under_tally() && !fuzz_options.compare)
        value |= CR4_VMXE | CR4_SMXE;
    if (fuzz_one_in(8))
        value |= BIT(25 + fuzz_below(s->bits == 64 ? 39 : 7));
    return value;
}

static u64 cr3_value(const struct snippet *s)
{
    u64 value = fuzz_cr3_for(s);

    if (!s->legacy && fuzz_one_in(2))
        value = fuzz_controls.closed_cr3;
    value |= fuzz_below(4) << 3; /* PWT and PCD */
    if (s->bits == 64 && fuzz_one_in(4))
        value |= BIT(52 + fuzz_below(12));
    return value;
}

void fuzz_cr_write(struct snippet *s)
{
    switch (fuzz_below(4)) {
    case 0: fuzz_mov_to_cr(s, 0, cr0_value(s)); break;
    case 1: fuzz_mov_to_cr(s, 4, cr4_value(s)); break;
    case 2:
        fuzz_mov_to_cr(s, 3, cr3_value(s));
        s->touched |= TOUCHED_CR3;
        break;
    default: /* the interrupt that ends HLT must not stay blocked */
        fuzz_mov_to_cr(s, s->bits == 64 ? 8 : 5, fuzz_one_in(4) ? random_value() : fuzz_below(16));
        s->touched |= TOUCHED_CR8;
        fuzz_mov_to_cr(s, s->bits == 64 ? 8 : 6, 0);
    }
}

void fuzz_cr_read(struct snippet *s)
{
    with_register(s, 0, OPCODE_MOV_FROM_CR, fuzz_below(s->bits == 64 ? 16 : 8), random_register(s));
}

void fuzz_lmsw(struct snippet *s)
{
    u32 gpr = random_register(s);
    u64 keep = s->mode == MODE_REAL ? ~CR0_PE : ~0ull;

    load(s, gpr, random_value() & keep);
    with_register(s, 0, OPCODE_TABLES, 6, gpr);
}

/* Bochs lets a VM exit save the match of one that is off as that of one that is on. */
static u64 without_disabled_breakpoints(u64 dr7)
{
    for (u32 i = 0; i < 4; i++)
        if (!(dr7 >> 2 * i & 3))
            dr7 &= ~(0xFull << (16 + 4 * i));
    return dr7;
}

/* Breakpoints lie where this kernel itself does nothing. */
void fuzz_debug_register(struct snippet *s)
{
    if (s->changes_idt)
        return;

    u32 gpr = random_register(s), dr = fuzz_below(8);
    u64 value = dr < 4 ? (fuzz_one_in(2) ? LOW_DATA + fuzz_below(64) : LOW_MEMORY + fuzz_below(256))
                       : fuzz_random() & 0xFFFFE7FF; /* of DR7: without reserved bits */

    if (fuzz_one_in(3)) {
        with_register(s, 0, OPCODE_MOV_FROM_DR, dr, gpr);
        return;
    }
    if (dr < 4 && fuzz_one_in(4))
        value = 0x80;
    if (fuzz_options.compare && (dr == 4 || dr == 6))
        value &= ~DR6_BT; /* Bochs clears it at the next #DB; hardware and Tally do not */
    if (fuzz_options.compare && (dr == 5 || dr == 7))
        value = without_disabled_breakpoints(value);
    if (dr >= 4 && s->bits == 64 && fuzz_one_in(8))
        value |= BIT(32 + fuzz_below(32));
    load(s, gpr, value);
    with_register(s, 0, OPCODE_MOV_TO_DR, dr, gpr);
    s->touched |= TOUCHED_DEBUG_REGISTERS;
}

void fuzz_xsetbv(struct snippet *s)
{
    load(s, RCX, fuzz_one_in(8) ? random_value() : 0);
    load(s, RAX, fuzz_one_in(2) ? fuzz_below(8) : fuzz_below(256) & fuzz_random());
    load(s, RDX, fuzz_one_in(8) ? random_value() : 0);
    instruction(s, OPCODE_XSETBV);
    s->touched |= TOUCHED_XCR0;
}
