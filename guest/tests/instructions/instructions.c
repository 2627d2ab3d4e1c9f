/* Instructions of one exit reason each: caches, TLB, time, performance counters. */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(invlpg, "invlpg [rsi]");
CODE64(wbinvd, "wbinvd");
CODE64(invd, "invd");
CODE64(rdtsc, "rdtsc");
CODE64(rdtscp, "rdtscp");
CODE64(rdpmc, "rdpmc");
CODE64(pause, "pause");

#define STALE 0xA5A5A5A500000000ull

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
