/* Templates of selectors and of descriptor tables. */
#include "fuzz/fuzz_code.h"
#include "harness/legacy.h"
#include "kernel/descriptors.h"
#include "kernel/memory.h"

#define OPCODE_SELECTORS 0x0F00
#define OPCODE_TABLES 0x0F01
#define OPCODE_MOV_TO_SEGMENT 0x8E
#define OPCODE_LAR 0x0F02
#define OPCODE_LSL 0x0F03

u16 fuzz_random_selector(void)
{
    static const u16 selectors[] = {0,
                                    SELECTOR_TSS,
                                    SELECTOR_LDT,
                                    SELECTOR_NOT_PRESENT,
                                    SELECTOR_CODE64,
                                    SELECTOR_DATA | 3,
                                    SELECTOR_USER_DATA,
                                    SELECTOR_USER_CODE32 & ~3,
                                    SELECTOR_TSS32,
                                    SELECTOR_TASK_GATE,
                                    0xFFF8,
                                    4};

    return PICK(selectors);
}

enum { LLDT, LTR, VERR, VERW, LAR, LSL };

void fuzz_selector(struct snippet *s)
{
    u32 gpr = random_register(s), kind = fuzz_below(6);
    u16 selector = fuzz_random_selector();

    if (kind == LTR && selector == SELECTOR_TSS32 && !s->legacy)
        return; /* it would pass for a 64-bit one, without stacks */
    load(s, gpr, selector | (fuzz_random() & ~0xFFFFull));
    if (kind < LAR)
        with_register(s, 0, OPCODE_SELECTORS, 2 + kind, gpr);
    else
        with_register(s, 0, kind == LAR ? OPCODE_LAR : OPCODE_LSL, random_register(s), gpr);
    s->touched |= TOUCHED_TABLES;
}

/* MOV to a segment register that no operand needs: outside 64-bit code FS and GS only. */
void fuzz_segment_load(struct snippet *s)
{
    static const u8 any[] = {ES, DS, FS, GS}, unused[] = {FS, GS};
    u32 gpr = random_register(s);

    load(s, gpr, fuzz_random_selector());
    with_register(s, 0, OPCODE_MOV_TO_SEGMENT,
                  s->bits == 64 && !fuzz_options.compare ? PICK(any) : PICK(unused), gpr);
}

/* LGDT and LIDT with the tables that are loaded, or with an operand out of reach. */
void fuzz_table_load(struct snippet *s)
{
    bool idt = fuzz_one_in(2);
    u64 table = (u64)(idt ? &fuzz_controls.idtr : &fuzz_controls.gdtr);
    struct operand o;

    if (s->legacy)
        table = WINDOW_PAGE(WINDOW_MISSING); /* its IDT is another one */
    if (s->legacy && s->mode != MODE_P32 && s->mode != MODE_P32_USER)
        return;
    if (s->unpaged)
        return; /* nothing is missing */
    if (fuzz_one_in(3))
        table = WINDOW_PAGE(WINDOW_MISSING) + (fuzz_options.compare ? -2u : fuzz_below(4000));
    o = memory_operand(s, table);
    if (!s->user && s->bits == 16 && o.address_bits == 16)
        return; /* the address would be cut */
    with_operand(s, 0, OPCODE_TABLES, idt ? 3 : 2, &o);
    s->touched |= TOUCHED_TABLES;
}
