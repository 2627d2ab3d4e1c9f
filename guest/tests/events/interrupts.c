/*
 * External interrupts, HLT and NMIs: they arrive once, at the promised instruction, in the promised
 * order, whoever looks at them first.
 */
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"

CODE64(sti_hlt, "sti\n hlt\n cli");
CODE64(sti_nops, "sti\n nop\n nop\n cli");
CODE64(sti_cpuid, "sti\n cpuid\n nop\n cli");
CODE64(popf, "push rax\n popf\n nop\n cli");
CODE64(mov_cr8, "sti\n nop\n mov rcx, cr8\n mov cr8, rax\n nop\n cli");
/* 8 bits at a time: the same in 16-bit, 32-bit and 64-bit code. */
CODE64(loop, "1: dec cl\n jnz 1b\n dec ch\n jnz 1b\n dec dl\n jnz 1b\n dec dh\n jnz 1b");
CODE64(hlt, "hlt");

#define SOON 2000 /* ticks of the APIC timer, which may run as fast as the CPU */
#define SOON_PIT 50
#define AT_MOST (SOON << 13)
#define MANY_LOOPS 0x0800 /* times 2^16: longer than the timer takes */
#define LAST_LOOP 0x0101

/* What has arrived since begin(). */
static struct seen {
    u32 count;
    u32 vectors[4];
    u64 rips[4];
    u64 cs;
    u32 depth, deepest;
    bool before_loop;
} seen;

/* Ticks of the APIC timer that reach into the loop: tried out, as the way there is short on a CPU
 * and 70,000 instructions long in KVM. */
static u32 until_loop = SOON;

static void record(const struct trap_frame *frame)
{
    if (seen.count < ARRAY_SIZE(seen.vectors)) {
        seen.vectors[seen.count] = (u32)frame->vector;
        seen.rips[seen.count] = frame->rip - LOW_MEMORY;
    }
    seen.cs = frame->cs;
    seen.count++;
}

static void on_interrupt(struct trap_frame *frame)
{
    record(frame);
    apic_eoi();
}

static void on_pit(struct trap_frame *frame)
{
    record(frame);
    pic_eoi();
}

/* Ends the loop. */
static void on_timer(struct trap_frame *frame)
{
    on_interrupt(frame);
    seen.before_loop = !frame->gpr[RCX] && frame->gpr[RDX] == MANY_LOOPS;
    frame->gpr[RCX] = LAST_LOOP;
    frame->gpr[RDX] = LAST_LOOP;
}

static void begin(void)
{
    seen = (struct seen){0};
}

static void timer(struct run *run)
{
    (void)run;
    begin();
    apic_timer_start(SOON);
}

static void later_timer(struct run *run)
{
    (void)run;
    begin();
    apic_timer_start(until_loop);
}

static void pit(struct run *run)
{
    (void)run;
    begin();
    pit_start(SOON_PIT);
}

static void pending(struct run *run)
{
    (void)run;
    begin();
    apic_self_ipi(VECTOR_LOW);
}

static void two_pending(struct run *run)
{
    pending(run);
    apic_self_ipi(VECTOR_HIGH);
}

static void pending_behind_popf(struct run *run)
{
    pending(run);
    run->gpr[RAX] = RFLAGS_FIXED | RFLAGS_IF;
}

static void pending_below_cr8(struct run *run)
{
    write_cr8(VECTOR_LOW >> 4);
    pending(run);
}

static void open_cr8(void)
{
    write_cr8(0);
}

static const char *arrived(u32 vector, u64 rip)
{
    if (seen.count != 1)
        return "not exactly one interrupt";
    if (seen.vectors[0] != vector)
        return "another vector";
    return seen.rips[0] == rip ? NULL : "at another instruction";
}

static const char *timer_behind_hlt(const struct run *run)
{
    (void)run;
    return arrived(VECTOR_TIMER, 2);
}

static const char *pit_behind_hlt(const struct run *run)
{
    (void)run;
    return arrived(VECTOR_PIT, 2);
}

static const char *ipi_behind_hlt(const struct run *run)
{
    (void)run;
    return arrived(VECTOR_LOW, 2);
}

static const char *ipi_behind_cpuid(const struct run *run)
{
    (void)run;
    return arrived(VECTOR_LOW, 3);
}

static const char *ipi_behind_cr8(const struct run *run)
{
    (void)run;
    return arrived(VECTOR_LOW, 10);
}

static const char *high_then_low(const struct run *run)
{
    (void)run;
    if (seen.count != 2)
        return "not exactly two interrupts";
    if (seen.vectors[0] != VECTOR_HIGH || seen.vectors[1] != VECTOR_LOW)
        return "not in the order of their priority";
    return seen.rips[0] == 2 && seen.rips[1] == 2 ? NULL : "at another instruction";
}

/* Whether the timer was quicker than the way to the loop: its interrupt has waited for IF, and may
 * have been counted before the loop. */
static bool too_early(const struct run *run)
{
    (void)run;
    if (seen.count != 1 || !seen.before_loop || until_loop == AT_MOST)
        return false;
    apic_timer_stop();
    until_loop *= 2;
    return true;
}

static const char *interrupted_loop(const struct run *run)
{
    if (seen.before_loop)
        return "always before the loop";
    if (seen.count != 1 || seen.vectors[0] != VECTOR_TIMER)
        return "not exactly one interrupt of the timer";
    return seen.cs == run->cs && !(u16)run->gpr[RDX] ? NULL : "the loop did not go on as before";
}

#define HLT_EXITS EXITS(HLT, KVM, 1)

static const struct instruction_test instructions[] = {
    {"HLT woken by the APIC timer", CODE(sti_hlt), .exits = HLT_EXITS, .others_exit = true,
     .prepare = timer, .check = timer_behind_hlt, .restore = apic_timer_stop},
    {"HLT woken by the PIT", CODE(sti_hlt), .exits = HLT_EXITS, .others_exit = true, .prepare = pit,
     .check = pit_behind_hlt, .restore = pit_stop},
    {"HLT with an interrupt pending", CODE(sti_hlt), .exits = HLT_EXITS, .others_exit = true,
     .prepare = pending, .check = ipi_behind_hlt},
    {"HLT", CODE(hlt), .modes = IN_USER, .fault = FAULT(GP)},
    {"interrupt one instruction behind STI", CODE(sti_nops), .count_unstated = true,
     .prepare = pending, .check = ipi_behind_hlt},
    {"interrupt behind STI and CPUID", CODE(sti_cpuid), .exits = EXITS(CPUID, MINIMAL, 1),
     .others_exit = true, .prepare = pending, .check = ipi_behind_cpuid},
    {"interrupt right behind POPF", CODE(popf), .count_unstated = true,
     .prepare = pending_behind_popf, .check = ipi_behind_hlt},
    {"interrupt held back by CR8", CODE(mov_cr8), .exits = EXITS(CR_ACCESS, ALL, 2),
     .others_exit = true, .prepare = pending_below_cr8, .check = ipi_behind_cr8,
     .restore = open_cr8},
    {"the higher of two interrupts first", CODE(sti_nops), .count_unstated = true,
     .prepare = two_pending, .check = high_then_low},
    {"interrupt of running code", CODE(loop), .modes = IN_ALL, .rdx = MANY_LOOPS,
     .rflags = RFLAGS_IF, .exits = EXITS(EXTERNAL_INTERRUPT, KVM, 1), .prepare = later_timer,
     .again = too_early, .check = interrupted_loop, .restore = apic_timer_stop},
};

static void on_nmi(struct trap_frame *frame)
{
    record(frame);
    seen.depth++;
    if (seen.depth > seen.deepest)
        seen.deepest = seen.depth;
    if (seen.count == 1)
        apic_self_nmi(); /* held until the IRET */
    seen.depth--;
}

static void on_single_nmi(struct trap_frame *frame)
{
    record(frame);
}

static void test_nmi(void)
{
    set_interrupt_handler(VECTOR_NMI, on_single_nmi);
    begin();
    apic_self_nmi();
    ok(seen.count == 1, "an NMI arrives with IF = 0");

    begin();
    apic_self_nmi();
    apic_self_nmi();
    ok(seen.count == 2, "so do two, one after the other");

    set_interrupt_handler(VECTOR_NMI, on_nmi);
    begin();
    apic_self_nmi();
    ok(seen.count == 2 && seen.deepest == 1, "an NMI in the handler of one waits for its IRET");
    set_interrupt_handler(VECTOR_NMI, NULL);
}

void test_interrupts(void)
{
    apic_init();
    set_interrupt_handler(VECTOR_TIMER, on_timer);
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    set_interrupt_handler(VECTOR_HIGH, on_interrupt);
    set_interrupt_handler(VECTOR_PIT, on_pit);
    RUN_TESTS(instructions);
    test_nmi();
    set_interrupt_handler(VECTOR_TIMER, NULL);
    set_interrupt_handler(VECTOR_LOW, NULL);
    set_interrupt_handler(VECTOR_HIGH, NULL);
    set_interrupt_handler(VECTOR_PIT, NULL);
}
