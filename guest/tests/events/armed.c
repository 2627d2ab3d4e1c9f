/*
 * Exits that Tally makes only when its option `test=` arms them. Each family runs when it is asked
 * for (`only=`), together with the aid of the same name: test=pml with only=armed_pml.
 */
#include "kernel/apic.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

CODE64(load, "mov eax, dword ptr [rcx]");
CODE64(store, "mov dword ptr [rcx], eax");
CODE64(mov_to_cr8, "mov cr8, rax");
CODE64(getsec, "xor eax, eax\n getsec");
CODE64(spin, "1: dec rcx\n jnz 1b");
CODE64(self_ipi, "mov dword ptr [rcx], eax\n sti\n nop\n nop\n cli");

#define SPOILED_PAGE 0x7000 /* whose EPT entry the aid spoils */
#define APIC 0xFEE00000u
#define APIC_ICR (APIC + 0x300)
#define APIC_LVT_TIMER (APIC + 0x320)
#define APIC_NOTHING (APIC + 0x3F0) /* no register: not virtualized */
#define ICR_SELF 0x40000
#define LVT_MASKED 0x10000

static u32 interrupts;

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    apic_eoi();
}

static void expect_interrupt(struct run *run)
{
    (void)run;
    interrupts = 0;
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
}

static const char *one_interrupt(const struct run *run)
{
    (void)run;
    return interrupts == 1 ? NULL : "not one interrupt";
}

static const char *wrote_page(const struct run *run)
{
    return *(volatile u32 *)SPOILED_PAGE == (u32)run->gpr[RAX] ? NULL : "the write is not there";
}

void test_armed_tpr_threshold(void)
{
    static const struct instruction_test tests[] = {
        {"MOV CR8 below the threshold", CODE(mov_to_cr8), .rax = 2,
         .exits = EXITS(TPR_BELOW_THRESHOLD, MINIMAL, 1)},
    };
    RUN_TESTS(tests);
}

void test_armed_virtual_apic(void)
{
    static const struct instruction_test tests[] = {
        {"self-IPI and EOI", CODE(self_ipi), .rcx = APIC_ICR, .rax = ICR_SELF | VECTOR_LOW,
         .prepare = expect_interrupt, .check = one_interrupt,
         .exits = EXITS(VIRTUALIZED_EOI, MINIMAL, 1)},
        {"write of LVT timer", CODE(store), .rcx = APIC_LVT_TIMER, .rax = LVT_MASKED,
         .exits = EXITS(APIC_WRITE, MINIMAL, 1)},
        {"read where no register is", CODE(load), .rcx = APIC_NOTHING,
         .exits = EXITS(APIC_ACCESS, MINIMAL, 1)},
    };
    RUN_TESTS(tests);
}

void test_armed_ept_misconfig(void)
{
    static const struct instruction_test tests[] = {
        {"read of a page", CODE(load), .rcx = SPOILED_PAGE,
         .exits = EXITS(EPT_MISCONFIGURATION, MINIMAL, 1)},
        {"the page is whole again", CODE(store), .rcx = SPOILED_PAGE, .rax = 0x12345678,
         .check = wrote_page},
    };
    RUN_TESTS(tests);
}

void test_armed_spp(void)
{
    static const struct instruction_test tests[] = {
        {"write to a page", CODE(store), .rcx = SPOILED_PAGE, .rax = 0x12345678,
         .check = wrote_page, .exits = EXITS(SPP_EVENT, MINIMAL, 1)},
    };
    RUN_TESTS(tests);
}

void test_armed_smx(void)
{
    static const struct instruction_test tests[] = {
        {"GETSEC", CODE(getsec), .fault = FAULT(UD), .fault_rip = 2,
         .exits = EXITS(GETSEC, MINIMAL, 1)},
    };
    RUN_TESTS(tests);
}

void test_armed_preemption_timer(void)
{
    struct run r = {.code = CODE(spin), .gpr = {[RCX] = 500000}, .reason = EXIT_PREEMPTION_TIMER};

    run(&r);
    ok(ran_to_end(&r), "a long loop ends");
    count_ok(r.reason_exits >= 1 && r.reason_cycles, "the timer ran off on the way");
}

/* Both happened before the first test: at the first write, and before the first instruction. */
void test_armed_pml(void)
{
    count_ok(reason_exits(EXIT_PML_FULL) == 1 && reason_cycles(EXIT_PML_FULL), "the log was full");
}

/* After the first instruction of all. */
void test_armed_mtf_step(void)
{
    count_ok(reason_exits(EXIT_MONITOR_TRAP_FLAG) == 1 && reason_cycles(EXIT_MONITOR_TRAP_FLAG),
             "an MTF exit behind an instruction");
}

void test_armed_mtf(void)
{
    count_ok(reason_exits(EXIT_MONITOR_TRAP_FLAG) == 1 && reason_cycles(EXIT_MONITOR_TRAP_FLAG),
             "a pending MTF exit");
}
