/* The time-stamp counter as an MSR, and the APIC timer's deadline mode. */
#include "kernel/apic.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(wrmsr, "wrmsr");
CODE64(rdmsr, "rdmsr");
CODE64(sti_hlt, "sti\n hlt\n cli");
CODE64(read_twice, "rdtsc\n mov esi, eax\n mov edi, edx\n rdmsr");

#define FAR_AWAY 0x0000012300000000ull
#define SOON 20000
#define CPUID1_ECX_DEADLINE BIT(24)
#define CPUID7_EBX_TSC_ADJUST BIT(1)

static u64 tsc_before, adjust_before;

static bool has_deadline(void)
{
    return cpuid(1, 0).ecx & CPUID1_ECX_DEADLINE;
}

static bool has_tsc_adjust(void)
{
    return cpuid(7, 0).ebx & CPUID7_EBX_TSC_ADJUST;
}

static void note_time(struct run *run)
{
    (void)run;
    tsc_before = rdtsc();
}

static const char *set_far_away(const struct run *run)
{
    u64 now = rdtsc();

    (void)run;
    return now >= FAR_AWAY && now < FAR_AWAY + BIT(32) ? NULL
                                                       : "the counter did not take the value";
}

/* In step again with what else was noted before. */
static void set_back(void)
{
    wrmsr(IA32_TSC, tsc_before);
    if (has_tsc_adjust())
        wrmsr(IA32_TSC_ADJUST, adjust_before);
}

static const char *same_clock(const struct run *run)
{
    u64 first = run->gpr[RDI] << 32 | run->gpr[RSI], second = run->gpr[RDX] << 32 | run->gpr[RAX];

    return second > first && second < rdtsc() ? NULL : "RDTSC and IA32_TSC disagree";
}

static const char *moved_by_adjustment(const struct run *run)
{
    u64 now = rdtsc();

    (void)run;
    return now - tsc_before >= FAR_AWAY && now - tsc_before < FAR_AWAY + BIT(32)
               ? NULL
               : "the counter did not move by the adjustment";
}

static u32 interrupts;
static u64 deadline, woken_at;

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    woken_at = rdtsc();
    interrupts++;
    apic_eoi();
}

static void set_deadline(struct run *run)
{
    (void)run;
    interrupts = 0;
    apic_timer_deadline_mode();
    deadline = rdtsc() + SOON;
    wrmsr(IA32_TSC_DEADLINE, deadline);
}

static const char *woken_in_time(const struct run *run)
{
    (void)run;
    if (interrupts != 1)
        return "not exactly one interrupt";
    return woken_at >= deadline ? NULL : "before the deadline";
}

/* The deadline first: Bochs 2.7 keeps it on a clock that writes of IA32_TSC leave behind. */
static const struct instruction_test tests[] = {
    {"HLT woken by the TSC deadline", CODE(sti_hlt), .exits = EXITS(HLT, KVM, 1),
     .others_exit = true, .available = has_deadline, .prepare = set_deadline,
     .check = woken_in_time, .restore = apic_timer_stop},
    {"RDMSR IA32_TSC", CODE(read_twice), .rcx = IA32_TSC, .exits = EXITS(RDMSR, KVM, 1),
     .others_exit = true, .check = same_clock},
    {"WRMSR IA32_TSC", CODE(wrmsr), .rcx = IA32_TSC, .rdx = FAR_AWAY >> 32,
     .exits = EXITS(WRMSR, MINIMAL, 1), .prepare = note_time, .check = set_far_away,
     .restore = set_back},
    {"WRMSR IA32_TSC_ADJUST", CODE(wrmsr), .rcx = IA32_TSC_ADJUST, .rdx = FAR_AWAY >> 32,
     .exits = EXITS(WRMSR, MINIMAL, 1), .available = has_tsc_adjust, .prepare = note_time,
     .check = moved_by_adjustment, .restore = set_back},
};

void test_time(void)
{
    if (has_tsc_adjust())
        adjust_before = rdmsr(IA32_TSC_ADJUST);
    apic_init();
    set_interrupt_handler(VECTOR_TIMER, on_timer);
    RUN_TESTS(tests);
    set_interrupt_handler(VECTOR_TIMER, NULL);
}
