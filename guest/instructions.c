/* Instructions of one exit reason each: caches, TLB, time, randomness, descriptor tables. */
#include "descriptors.h"
#include "families.h"
#include "instruction_test.h"
#include "memory.h"
#include "tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(invlpg, "invlpg [rsi]");
CODE64(wbinvd, "wbinvd");
CODE64(invd, "invd");
CODE64(rdtsc, "rdtsc");
CODE64(rdtscp, "rdtscp");
CODE64(rdpmc, "rdpmc");
CODE64(pause, "pause");
CODE64(sgdt, "sgdt [rsi]");
CODE64(sidt, "sidt [rsi]");
CODE64(sldt, "sldt rdx");
CODE64(str, "str rdx");
CODE64(sldt_memory, "sldt [rsi]");
CODE64(lgdt, "sgdt [rsi]\n lgdt [rsi]");
CODE64(lidt, "sidt [rsi]\n lidt [rsi]");
CODE64(lldt, "lldt ax");
CODE64(lldt_read, "lldt ax\n sldt rdx");
CODE64(ltr, "ltr ax");

#define STALE 0xA5A5A5A500000000ull
#define DATA ((volatile u8 *)(u64)LOW_DATA)

static bool has_rdtscp(void)
{
    return cpuid(0x80000001, 0).edx & BIT(27);
}

static u64 time_before;

static void note_time(struct run *run)
{
    (void)run;
    time_before = rdtsc();
}

static const char *time_passed(const struct run *run)
{
    if ((run->gpr[RAX] | run->gpr[RDX]) >> 32)
        return "an upper half is not zero";
    u64 now = run->gpr[RDX] << 32 | run->gpr[RAX];
    return now > time_before && now < rdtsc() ? NULL : "time out of order";
}

#define TSC_AUX_TESTED 0x89ABCDEF

static void set_tsc_aux(struct run *run)
{
    wrmsr(IA32_TSC_AUX, TSC_AUX_TESTED);
    note_time(run);
}

static const char *time_and_aux(const struct run *run)
{
    return run->gpr[RCX] == TSC_AUX_TESTED ? time_passed(run) : "RCX is not IA32_TSC_AUX";
}

static void disable_time_stamps(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_TSD);
}

static void enable_time_stamps(void)
{
    write_cr4(read_cr4() & ~CR4_TSD);
}

static const char *gdt_stored(const struct run *run)
{
    const struct descriptor_table_register *r = (const void *)(u64)LOW_DATA;

    (void)run;
    return r->base == (u64)gdt && r->limit == GDT_SIZE - 1 ? NULL : "not the GDT's base and limit";
}

static const char *idt_stored(const struct run *run)
{
    const struct descriptor_table_register *r = (const void *)(u64)LOW_DATA;

    (void)run;
    return r->base > MIB && r->limit == 0xFFF ? NULL : "not the IDT's base and limit";
}

static const char *no_ldt(const struct run *run)
{
    return run->gpr[RDX] == 0 ? NULL : "not the null selector";
}

static const char *ldt_loaded(const struct run *run)
{
    return run->gpr[RDX] == SELECTOR_LDT ? NULL : "not the LDT's selector";
}

static const char *task_register(const struct run *run)
{
    return run->gpr[RDX] == SELECTOR_TSS ? NULL : "not the TSS's selector";
}

static const char *ldt_stored(const struct run *run)
{
    (void)run;
    return DATA[0] == 0 && DATA[1] == 0 && DATA[2] == 0xEE ? NULL : "not two bytes of zero";
}

static void mark_data(struct run *run)
{
    (void)run;
    for (u32 i = 0; i < 16; i++)
        DATA[i] = 0xEE;
}

static void unload_ldt(void)
{
    __asm__ volatile("lldt %0" : : "r"((u16)0));
}

#define TABLE(n) EXITS(GDTR_IDTR_ACCESS, ALL, n)
#define SYSTEM(n) EXITS(LDTR_TR_ACCESS, ALL, n)

static const struct instruction_test instructions[] = {
    {"INVLPG", CODE(invlpg), .modes = IN(64) | IN(32) | IN(P32), .rsi = LOW_DATA,
     .exits = EXITS(INVLPG, ALL, 1)},
    {"INVLPG of a page that is not there", CODE(invlpg), .rsi = WINDOW_PAGE(WINDOW_MISSING),
     .exits = EXITS(INVLPG, ALL, 1)},
    {"INVLPG, not canonical", CODE(invlpg), .rsi = 0x0000900000000000,
     .exits = EXITS(INVLPG, ALL, 1)},
    {"INVLPG", CODE(invlpg), .modes = IN_USER, .rsi = LOW_DATA, .fault = FAULT(GP)},
    {"WBINVD", CODE(wbinvd), .modes = IN_SUPERVISOR, .exits = EXITS(WBINVD, KVM, 1)},
    {"WBINVD", CODE(wbinvd), .modes = IN_USER, .fault = FAULT(GP)},
    {"INVD", CODE(invd), .modes = IN_SUPERVISOR, .exits = EXITS(INVD, MINIMAL, 1),
     .tally_only = true},
    {"INVD", CODE(invd), .modes = IN_USER, .fault = FAULT(GP)},

    {"RDTSC", CODE(rdtsc), .modes = IN_ALL | IN_LEGACY, .rax = STALE, .rdx = STALE,
     .exits = EXITS(RDTSC, ALL, 1), .prepare = note_time, .check = time_passed},
    {"RDTSC with CR4.TSD", CODE(rdtsc), .modes = IN_SUPERVISOR, .exits = EXITS(RDTSC, ALL, 1),
     .prepare = disable_time_stamps, .restore = enable_time_stamps},
    {"RDTSC with CR4.TSD", CODE(rdtsc), .modes = IN_USER, .fault = FAULT(GP),
     .prepare = disable_time_stamps, .restore = enable_time_stamps},
    {"RDTSCP", CODE(rdtscp), .modes = IN_ALL | IN_LEGACY, .rax = STALE, .rdx = STALE, .rcx = STALE,
     .exits = EXITS(RDTSCP, ALL, 1), .available = has_rdtscp, .prepare = set_tsc_aux,
     .check = time_and_aux},
    {"RDTSCP with CR4.TSD", CODE(rdtscp), .modes = IN_USER, .fault = FAULT(GP),
     .available = has_rdtscp, .prepare = disable_time_stamps, .restore = enable_time_stamps},
    {"RDPMC of a counter that is missing", CODE(rdpmc), .modes = IN_SUPERVISOR, .rcx = 0x3FFFFFFF,
     .fault = FAULT(GP), .exits = EXITS(RDPMC, KVM, 1)},
    {"RDPMC", CODE(rdpmc), .modes = IN_USER, .fault = FAULT(GP)},
    {"PAUSE", CODE(pause), .modes = IN_ALL | IN_LEGACY, .exits = EXITS(PAUSE, ALL, 1)},

    {"SGDT", CODE(sgdt), .modes = IN_64, .rsi = LOW_DATA, .exits = TABLE(1), .check = gdt_stored},
    {"SIDT", CODE(sidt), .modes = IN_64, .rsi = LOW_DATA, .exits = TABLE(1), .check = idt_stored},
    {"LGDT", CODE(lgdt), .rsi = LOW_DATA, .exits = TABLE(2), .check = gdt_stored},
    {"LIDT", CODE(lidt), .rsi = LOW_DATA, .exits = TABLE(2), .check = idt_stored},
    {"SLDT", CODE(sldt), .modes = IN_64, .rdx = STALE, .exits = SYSTEM(1), .check = no_ldt},
    {"SLDT to memory", CODE(sldt_memory), .rsi = LOW_DATA, .exits = SYSTEM(1), .prepare = mark_data,
     .check = ldt_stored},
    {"STR", CODE(str), .modes = IN_64, .rdx = STALE, .exits = SYSTEM(1), .check = task_register},
    {"LLDT", CODE(lldt_read), .rax = SELECTOR_LDT, .exits = SYSTEM(2), .check = ldt_loaded,
     .restore = unload_ldt},
    {"LLDT of a code segment", CODE(lldt), .rax = SELECTOR_CODE64, .fault = FAULT(GP),
     .error = SELECTOR_CODE64, .count_unstated = true},
    {"LTR of a busy TSS", CODE(ltr), .rax = SELECTOR_TSS, .fault = FAULT(GP), .error = SELECTOR_TSS,
     .count_unstated = true},
    {"LLDT", CODE(lldt), .modes = IN_RING_3, .fault = FAULT(GP)},
    {"LTR", CODE(ltr), .modes = IN_RING_3, .fault = FAULT(GP)},
};

static void flush_by_invlpg(void)
{
    invlpg(WINDOW_PAGE(WINDOW_PLAIN));
}

static void flush_by_cr3(void)
{
    write_cr3(read_cr3());
}

static void flush_by_pge(void)
{
    write_cr4(read_cr4() ^ CR4_PGE);
    write_cr4(read_cr4() ^ CR4_PGE);
}

static void test_flushes(void)
{
    ok(window_follows_its_entry(flush_by_invlpg), "a new mapping is seen after INVLPG");
    ok(window_follows_its_entry(flush_by_cr3), "a new mapping is seen after MOV CR3");
    ok(window_follows_its_entry(flush_by_pge), "a new mapping is seen after flipping CR4.PGE");
}

void test_instructions(void)
{
    RUN_TESTS(instructions);
    test_flushes();
}
