/* SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT, LTR: every form of operand, and each kind of fault. */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(sgdt, "sgdt [rsi]");
CODE64(sidt, "sidt [rsi]");
CODE64(sgdt_scaled, "sgdt [rsi + rcx*8 - 0x10]");
CODE64(sgdt_rip, "sgdt [rip + 0x0FF9]"); /* 7 bytes of code: 0x1000 behind its start */
CODE64(sgdt_fs, "sgdt fs:[rsi]");
CODE64(sgdt_address32, "sgdt [esi]");
CODE64(sgdt_stack, "sgdt [rbp]");
CODE64(sldt, "sldt rdx");
CODE64(sldt_16, "sldt dx");
CODE64(str, "str rdx");
CODE64(str_r15, "str r15\n mov rdx, r15");
CODE64(str_16, "str dx");
CODE64(sldt_memory, "sldt [rsi]");
CODE64(lgdt, "sgdt [rsi]\n lgdt [rsi]");
CODE64(lidt, "sidt [rsi]\n lidt [rsi]");
CODE64(load_gdt, "lgdt [rsi]");
CODE64(load_idt, "lidt [rsi]");
CODE64(lldt, "lldt ax");
CODE64(lldt_read, "lldt ax\n sldt rdx");
CODE64(lldt_memory, "lldt [rsi]\n sldt rdx");
CODE64(ltr, "ltr ax");
CODE64(smsw, "smsw rdx");
CODE32(sgdt_32, "sgdt [esi]");
CODE32(lgdt_286, "sgdt [esi]\n data16 lgdt [esi + 16]\n sgdt [esi + 32]\n lgdt [esi]");
CODE32(lidt_32, "sidt [esi]\n lidt [esi]");
CODE32(str_32, "str edx");
CODE16(sgdt_segment, "sgdt [si]");
CODE16(lgdt_segment, "sgdt [si]\n lgdt [si]");
CODE16(sgdt_end, "sgdt [0xFFFC]");

#define STALE 0xA5A5A5A5A5A5A5A5ull
#define LOW_OFFSET (LOW_DATA - LOW_MEMORY) /* in 16-bit segments */
#define NOT_CANONICAL 0x0000900000000000ull
#define NOT_CANONICAL_57 0x0100000000000000ull
#define OUTSIDE_GDT 0x1000
#define DATA8 ((volatile u8 *)(u64)LOW_DATA)
#define FS_OFFSET 0x100

static void mark_data(struct run *run)
{
    (void)run;
    for (u32 i = 0; i < 64; i++)
        DATA8[i] = 0xEE;
}

static const char *gdt_at(u32 address, bool wide)
{
    const struct descriptor_table_register *r = (const void *)(u64)address;
    u64 base = wide ? r->base : (u32)r->base;

    if (base != (u64)gdt || r->limit != GDT_SIZE - 1)
        return "not the GDT's base and limit";
    if (!wide && ((volatile u8 *)(u64)address)[6] != 0xEE)
        return "more than 6 bytes were stored";
    return NULL;
}

static const char *gdt_stored(const struct run *run)
{
    (void)run;
    return gdt_at(LOW_DATA, true);
}

static const char *gdt_stored_in_6(const struct run *run)
{
    (void)run;
    return gdt_at(LOW_DATA, false);
}

static const char *idt_stored(const struct run *run)
{
    const struct descriptor_table_register *r = (const void *)(u64)LOW_DATA;

    (void)run;
    return r->base > MIB && r->limit == 0xFFF ? NULL : "not the IDT's base and limit";
}

static void base_of_32_bits(struct run *run)
{
    mark_data(run);
    *(volatile u16 *)(u64)(LOW_DATA + 16) = 0x7F;
    *(volatile u32 *)(u64)(LOW_DATA + 18) = 0x12345678;
}

static const char *base_of_24_bits(const struct run *run)
{
    (void)run;
    return *(volatile u32 *)(u64)(LOW_DATA + 34) == 0x345678 ? NULL : "not 24 bits of the base";
}

/* A base is judged by the width that the CPU has, not the one that CR4 sets. */
static void base_not_canonical(struct run *run)
{
    (void)run;
    *(volatile u64 *)(u64)(LOW_DATA + 2) = NOT_CANONICAL_57;
}

static void fs_below(struct run *run)
{
    mark_data(run);
    wrmsr(IA32_FS_BASE, LOW_DATA - FS_OFFSET);
}

static void fs_back(void)
{
    wrmsr(IA32_FS_BASE, 0);
}

static void stack_operand(struct run *run)
{
    run->gpr[RBP] = NOT_CANONICAL;
}

static const char *no_ldt(const struct run *run)
{
    return run->gpr[RDX] == 0 ? NULL : "not the null selector";
}

static const char *no_ldt_in_16_bits(const struct run *run)
{
    return run->gpr[RDX] == (STALE & ~0xFFFFull) ? NULL : "not 16 bits of the null selector";
}

static const char *ldt_loaded(const struct run *run)
{
    return run->gpr[RDX] == SELECTOR_LDT ? NULL : "not the LDT's selector";
}

static const char *task_register(const struct run *run)
{
    u64 selector = run->mode < MODE_P32 ? SELECTOR_TSS : SELECTOR_TSS32;

    return run->gpr[RDX] == selector ? NULL : "not the TSS's selector";
}

static const char *task_register_in_16_bits(const struct run *run)
{
    return run->gpr[RDX] == ((STALE & ~0xFFFFull) | SELECTOR_TSS) ? NULL : "not the TSS's selector";
}

static const char *ldt_stored(const struct run *run)
{
    (void)run;
    return DATA8[0] == 0 && DATA8[1] == 0 && DATA8[2] == 0xEE ? NULL : "not two bytes of zero";
}

static void ldt_selector_in_memory(struct run *run)
{
    (void)run;
    *(volatile u16 *)(u64)LOW_DATA = SELECTOR_LDT;
}

static void unload_ldt(void)
{
    __asm__ volatile("lldt %0" : : "r"((u16)0));
}

#define TSS_BUSY BIT(41)
#define LDT_PRESENT BIT(47)

static void tss_available(struct run *run)
{
    (void)run;
    gdt[SELECTOR_TSS / 8] &= ~TSS_BUSY;
}

static const char *tss_busy(const struct run *run)
{
    (void)run;
    return gdt[SELECTOR_TSS / 8] & TSS_BUSY ? NULL : "the TSS was not made busy";
}

static void ldt_absent(struct run *run)
{
    (void)run;
    gdt[SELECTOR_LDT / 8] &= ~LDT_PRESENT;
}

static void ldt_present(void)
{
    gdt[SELECTOR_LDT / 8] |= LDT_PRESENT;
}

static const char *address_in_cr2(const struct run *run)
{
    return run->cr2 == run->gpr[RSI] ? NULL : "CR2 is not the address";
}

/* Which part of the operand a CPU reads first is its own business. */
static const char *operand_in_cr2(const struct run *run)
{
    return run->cr2 - run->gpr[RSI] < 10 ? NULL : "CR2 is not the operand";
}

static bool has_umip(void)
{
    return cpuid(7, 0).ecx & BIT(2);
}

static void umip_on(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_UMIP);
}

static void umip_off(void)
{
    write_cr4(read_cr4() & ~CR4_UMIP);
}

#define TABLE(n) .exits = EXITS(GDTR_IDTR_ACCESS, ALL, n)
#define SYSTEM(n) .exits = EXITS(LDTR_TR_ACCESS, ALL, n)
#define AT_DATA .rsi = LOW_DATA, .prepare = mark_data
#define MISSING WINDOW_PAGE(WINDOW_MISSING)

static const struct instruction_test tables[] = {
    {"SGDT", CODE(sgdt), .modes = IN_64, AT_DATA, TABLE(1), .check = gdt_stored},
    {"SIDT", CODE(sidt), .modes = IN_64, AT_DATA, TABLE(1), .check = idt_stored},
    {"SGDT with an index", CODE(sgdt_scaled), AT_DATA, .rcx = 2, TABLE(1), .check = gdt_stored},
    {"SGDT relative to RIP", CODE(sgdt_rip), AT_DATA, TABLE(1), .check = gdt_stored},
    {"SGDT with FS", CODE(sgdt_fs), .rsi = FS_OFFSET, TABLE(1), .prepare = fs_below,
     .check = gdt_stored, .restore = fs_back},
    {"SGDT with a 32-bit address", CODE(sgdt_address32), .rsi = BIT(40) | LOW_DATA, TABLE(1),
     .prepare = mark_data, .check = gdt_stored},
    {"SGDT", CODE(sgdt_32), .modes = IN(32) | IN(32_USER) | IN(P32) | IN(P32_USER), AT_DATA,
     TABLE(1), .check = gdt_stored_in_6},
    {"SGDT", CODE(sgdt_segment),
     .modes = IN(16) | IN(16_USER) | IN(P16) | IN(P16_USER) | IN(V86) | IN(REAL), .rsi = LOW_OFFSET,
     TABLE(1), .prepare = mark_data, .check = gdt_stored_in_6},
    {"SGDT beyond the segment's limit", CODE(sgdt_end), .modes = IN(P16) | IN(REAL), TABLE(1),
     .fault = FAULT(GP)},
    {"LGDT", CODE(lgdt), AT_DATA, TABLE(2), .check = gdt_stored},
    {"LIDT", CODE(lidt), AT_DATA, TABLE(2), .check = idt_stored},
    {"LGDT", CODE(lgdt_segment), .modes = IN(P16) | IN(REAL), .rsi = LOW_OFFSET, TABLE(2),
     .prepare = mark_data, .check = gdt_stored_in_6},
    {"LIDT", CODE(lidt_32), .modes = IN(P32), AT_DATA, TABLE(2)},
    {"LGDT with 16-bit operands", CODE(lgdt_286), .modes = IN(P32), .rsi = LOW_DATA, TABLE(4),
     .prepare = base_of_32_bits, .check = base_of_24_bits},
    {"LGDT, base not canonical", CODE(load_gdt), .rsi = LOW_DATA, .fault = FAULT(GP), TABLE(1),
     .prepare = base_not_canonical},
    {"LIDT, base not canonical", CODE(load_idt), .rsi = LOW_DATA, .fault = FAULT(GP), TABLE(1),
     .prepare = base_not_canonical},
    {"SGDT to a missing page", CODE(sgdt), .rsi = MISSING, .fault = FAULT(PF), .error = PF_WRITE,
     TABLE(1), .check = address_in_cr2},
    {"SGDT to a read-only page", CODE(sgdt), .modes = IN(64_USER),
     .rsi = WINDOW_PAGE(WINDOW_READ_ONLY), .fault = FAULT(PF),
     .error = PF_PRESENT | PF_WRITE | PF_USER, TABLE(1), .check = address_in_cr2},
    {"LGDT from a missing page", CODE(load_gdt), .rsi = MISSING, .fault = FAULT(PF), TABLE(1),
     .check = operand_in_cr2},
    {"SGDT, not canonical", CODE(sgdt), .rsi = NOT_CANONICAL, .fault = FAULT(GP), TABLE(1)},
    {"SGDT on the stack, not canonical", CODE(sgdt_stack), .fault = FAULT(SS), TABLE(1),
     .prepare = stack_operand},
    {"LGDT", CODE(load_gdt), .modes = IN_RING_3, .rsi = LOW_DATA, .fault = FAULT(GP)},
    {"SGDT with CR4.UMIP", CODE(sgdt), .modes = IN(64_USER), .rsi = LOW_DATA, .fault = FAULT(GP),
     .available = has_umip, .prepare = umip_on, .restore = umip_off},
};

static const struct instruction_test selectors[] = {
    {"SLDT", CODE(sldt), .modes = IN_64, .rdx = STALE, SYSTEM(1), .check = no_ldt},
    {"SLDT of 16 bits", CODE(sldt_16), .rdx = STALE, SYSTEM(1), .check = no_ldt_in_16_bits},
    {"SLDT to memory", CODE(sldt_memory), AT_DATA, SYSTEM(1), .check = ldt_stored},
    {"STR", CODE(str), .modes = IN_64, .rdx = STALE, SYSTEM(1), .check = task_register},
    {"STR to R15", CODE(str_r15), SYSTEM(1), .check = task_register},
    {"STR of 16 bits", CODE(str_16), .rdx = STALE, SYSTEM(1), .check = task_register_in_16_bits},
    {"STR", CODE(str_32), .modes = IN(P32) | IN(P32_USER), .rdx = STALE, SYSTEM(1),
     .check = task_register},
    {"LLDT", CODE(lldt_read), .rax = SELECTOR_LDT, SYSTEM(2), .check = ldt_loaded,
     .restore = unload_ldt},
    {"LLDT from memory", CODE(lldt_memory), .rsi = LOW_DATA, SYSTEM(2),
     .prepare = ldt_selector_in_memory, .check = ldt_loaded, .restore = unload_ldt},
    {"LLDT of nothing", CODE(lldt_read), .rax = 0, SYSTEM(2), .check = no_ldt},
    {"LLDT of a code segment", CODE(lldt), .rax = SELECTOR_CODE64, .fault = FAULT(GP),
     .error = SELECTOR_CODE64, SYSTEM(1)},
    {"LLDT outside the GDT", CODE(lldt), .rax = OUTSIDE_GDT, .fault = FAULT(GP),
     .error = OUTSIDE_GDT, SYSTEM(1)},
    {"LLDT of an LDT that is not present", CODE(lldt), .rax = SELECTOR_LDT, .fault = FAULT(NP),
     .error = SELECTOR_LDT, SYSTEM(1), .prepare = ldt_absent, .restore = ldt_present},
    {"LTR", CODE(ltr), .rax = SELECTOR_TSS, SYSTEM(1), .prepare = tss_available, .check = tss_busy},
    {"LTR of a busy TSS", CODE(ltr), .rax = SELECTOR_TSS, .fault = FAULT(GP), .error = SELECTOR_TSS,
     SYSTEM(1)},
    {"LTR of nothing", CODE(ltr), .rax = 0, .fault = FAULT(GP), SYSTEM(1)},
    {"SLDT to a missing page", CODE(sldt_memory), .rsi = MISSING, .fault = FAULT(PF),
     .error = PF_WRITE, SYSTEM(1), .check = address_in_cr2},
    {"LLDT", CODE(lldt), .modes = IN_RING_3, .fault = FAULT(GP)},
    {"LTR", CODE(ltr), .modes = IN_RING_3, .fault = FAULT(GP)},
    {"SLDT", CODE(sldt), .modes = IN(V86) | IN(REAL), .fault = FAULT(UD)},
    {"LTR", CODE(ltr), .modes = IN(V86) | IN(REAL), .fault = FAULT(UD)},
    {"STR with CR4.UMIP", CODE(str), .modes = IN(64_USER), .fault = FAULT(GP),
     .available = has_umip, .prepare = umip_on, .restore = umip_off},
    {"SMSW with CR4.UMIP", CODE(smsw), .modes = IN(64_USER), .fault = FAULT(GP),
     .available = has_umip, .prepare = umip_on, .restore = umip_off},
};

void test_descriptor_tables(void)
{
    RUN_TESTS(tables);
    RUN_TESTS(selectors);
}
