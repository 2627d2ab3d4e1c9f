/*
 * Templates that switch paging or protection off or on in the midst of a snippet, and back again.
 * Without paging, addresses are the same but for the window's, where there is no memory then.
 */
#include "fuzz/fuzz_code.h"
#include "kernel/descriptors.h"
#include "kernel/memory.h"
#include "x86/msr.h"

#define OPCODE_CLI 0xFA
#define OPCODE_JMP_OVER_TABLE 0x06EB
#define OPCODE_LIDT_CS 0x1E010F662Eull /* 32 bits of base, an address of 16 bits */
#define OPCODE_LMSW_AX 0x0F01F0
#define OPCODE_RDMSR 0x0F32
#define OPCODE_WRMSR 0x0F30
#define OPCODE_OR_EAX 0x0D
#define REAL_IVT 0xC000u
#define REAL_IVT_LIMIT 0x3FFu

extern struct __attribute__((packed)) {
    u16 limit;
    u32 base;
} legacy_idt_pointer;

static void put_inside(struct snippet *s)
{
    for (u32 i = fuzz_below(4); i && s->length < SNIPPET_SIZE / 2; i--)
        fuzz_template(s);
}

/* Paging with EFER.LME, but without PAE: refused. */
static void prepare_bad_ia32e(struct snippet *s)
{
    fuzz_mov_to_cr(s, 4, fuzz_controls.cr4 & ~(u64)CR4_PAE);
    load(s, RCX, IA32_EFER);
    instruction(s, OPCODE_RDMSR);
    begin(s);
    if (s->bits == 16)
        put(s, 1, PREFIX_OPERAND_SIZE);
    put(s, 1, OPCODE_OR_EAX);
    put(s, 4, EFER_LME);
    instruction(s, OPCODE_WRMSR);
}

/* Of what CR3 points to PDPTEs are loaded, or refused. */
static void put_paging_on(struct snippet *s)
{
    bool pml4 = !fuzz_is_32_bit_paged(s) && fuzz_one_in(4); /* with reserved bits in PDPTEs */

    if (fuzz_one_in(2)) {
        fuzz_mov_to_cr(s, 3, pml4 ? fuzz_controls.cr3 : fuzz_cr3_for(s));
        s->touched |= TOUCHED_CR3;
    }
    if (fuzz_one_in(16))
        prepare_bad_ia32e(s);
    fuzz_mov_to_cr(s, 0, fuzz_cr0_with(CR0_PE | CR0_PG));
}

void fuzz_paging_switch(struct snippet *s)
{
    bool paged = s->mode == MODE_P32 || s->mode == MODE_N32;

    if ((!paged && s->mode != MODE_P16) || s->unpaged || s->paged || s->length > SNIPPET_SIZE / 4)
        return;
    if (paged) {
        fuzz_mov_to_cr(s, 0, fuzz_cr0_with(CR0_PE));
        s->unpaged = true;
        put_inside(s);
        s->unpaged = false;
        put_paging_on(s);
    } else {
        put_paging_on(s);
        s->paged = true;
        put_inside(s);
        s->paged = false;
        fuzz_mov_to_cr(s, 0, fuzz_cr0_with(CR0_PE));
    }
}

static void put_lidt(struct snippet *s, u32 base, u32 limit)
{
    begin(s);
    put(s, 2, OPCODE_JMP_OVER_TABLE);
    put(s, 2, limit);
    put(s, 4, base);
    begin(s);
    put(s, 5, OPCODE_LIDT_CS);
    put(s, 2, s->length - 6 - 5);
}

/* Into `mode`. Between LIDT and MOV to CR0 a trap would find a table that is none. */
static void put_switch_to(struct snippet *s, enum mode mode)
{
    bool real = mode == MODE_REAL;

    instruction(s, OPCODE_CLI);
    if (real)
        put_lidt(s, REAL_IVT, REAL_IVT_LIMIT);
    else
        put_lidt(s, legacy_idt_pointer.base, legacy_idt_pointer.limit);
    if (!real && fuzz_one_in(4)) {
        load(s, RAX, CR0_PE | fuzz_below(16));
        instruction(s, OPCODE_LMSW_AX);
    } else {
        fuzz_mov_to_cr(s, 0, fuzz_cr0_with(real ? 0 : CR0_PE));
    }
    s->mode = mode;
}

/* Segments stay as they are: those of protected mode in real-address mode, and the other way. */
void fuzz_protection_switch(struct snippet *s)
{
    enum mode own = s->mode, other = own == MODE_P16 ? MODE_REAL : MODE_P16;

    if ((own != MODE_P16 && own != MODE_REAL) || s->changes_idt || s->length > SNIPPET_SIZE / 4 ||
        (s->touched & TOUCHED_DEBUG_REGISTERS))
        return;
    s->changes_idt = true;
    put_switch_to(s, other);
    put_inside(s);
    put_switch_to(s, own);
    s->touched |= TOUCHED_TABLES;
}
