/* Interrupts and NMIs between CPUs. */
#include "kernel/smp_apic.h"
#include "tests/smp/smp_exits.h"
#include "tests/smp/smp_tests.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define ROUNDS 50

void smp_on_call(struct trap_frame *frame)
{
    (void)frame;
    this_cpu()->calls++;
    apic_end_of_interrupt();
}

void smp_on_nmi(struct trap_frame *frame)
{
    (void)frame;
    this_cpu()->nmis++;
}

void smp_forget(void)
{
    for (u32 i = 0; i < smp_count; i++)
        smp_cpus[i].calls = smp_cpus[i].nmis = smp_cpus[i].mistakes = 0;
}

static bool all_have(u32 calls, u32 nmis)
{
    bool have = true;

    smp_linger();
    for (u32 i = 0; i < smp_count; i++)
        have &= smp_cpus[i].calls == calls && smp_cpus[i].nmis == nmis;
    return have;
}

/* ---- Interrupts ---- */

static void call_others_by_one(struct cpu *self)
{
    for (u32 i = 0; i < smp_count; i++)
        if (&smp_cpus[i] != self)
            smp_send_call(&smp_cpus[i]);
}

static void call_all_others(struct cpu *self)
{
    (void)self;
    smp_send_others(VECTOR_CALL);
}

/* The first `callers` CPUs have called all others: whether each has had all these calls. */
static bool all_called(u32 callers)
{
    bool called = true;

    for (u32 i = 0; i < smp_count; i++)
        called &= smp_wait(&smp_cpus[i].calls, callers - (i < callers));
    return called;
}

/* Each CPU in its turn, so that no two interrupts merge. */
static bool each_calls(void (*call)(struct cpu *self))
{
    bool arrived = true;

    smp_forget();
    for (u32 i = 0; i < smp_count; i++) {
        if (i == 0)
            call(&smp_cpus[0]);
        else {
            smp_order(&smp_cpus[i], call);
            arrived &= smp_done(&smp_cpus[i]);
        }
        arrived &= all_called(i + 1);
    }
    return arrived & all_have(smp_count - 1, 0);
}

void smp_test_calls(void)
{
    ok(each_calls(call_others_by_one), "an interrupt from each CPU to each other arrives once");
    ok(each_calls(call_all_others), "so does one from each CPU to all others");
}

/* The CPU may see `leave` before it sees the interrupt. */
static bool wake_by_call(struct cpu *cpu)
{
    for (u32 round = 1; round <= ROUNDS; round++) {
        smp_order(cpu, smp_sleep);
        smp_linger();
        cpu->leave = true;
        smp_send_call(cpu);
        if (!smp_done(cpu) || !smp_wait(&cpu->calls, round))
            return false;
    }
    return true;
}

void smp_test_sleepers(void)
{
    bool woken = true;

    smp_forget();
    for (u32 i = 1; i < smp_count; i++)
        woken &= wake_by_call(&smp_cpus[i]);
    ok(woken, "an interrupt wakes a halted CPU");
}

/* ---- NMIs ---- */

static void stay_busy(struct cpu *self)
{
    while (!self->leave)
        make_exit(self);
}

/* An exit now and then, of a kind that test_exits() does not count: in Bochs 2.7 a hypervisor below
 * gets its CPU back from code that runs with interrupts off by an exit only. */
static void stay_idle(struct cpu *self)
{
    cli();
    while (!self->leave) {
        smp_linger();
        rdmsr(IA32_FEATURE_CONTROL);
    }
    sti();
}

/* An NMI between the look at `leave` and the HLT leaves the CPU halted: then one more wakes it. */
static bool end_by_nmi(struct cpu *cpu)
{
    cpu->leave = true;
    for (u32 more = 1; more <= 3; more++) {
        smp_send_nmi(cpu);
        if (smp_done(cpu))
            return smp_wait(&cpu->nmis, ROUNDS + more);
    }
    return false;
}

static bool each_nmi_arrives(struct cpu *cpu, void (*order)(struct cpu *self))
{
    smp_order(cpu, order);
    for (u32 round = 1; round <= ROUNDS; round++) {
        smp_linger();
        smp_send_nmi(cpu);
        if (!smp_wait(&cpu->nmis, round))
            return false;
    }
    smp_linger();
    return cpu->nmis == ROUNDS && end_by_nmi(cpu);
}

static void test_nmis_to(const char *what, void (*order)(struct cpu *self))
{
    bool arrive = true;

    smp_forget();
    for (u32 i = 1; i < smp_count; i++)
        arrive &= each_nmi_arrives(&smp_cpus[i], order);
    ok(arrive, "each of %u NMIs arrives once at a CPU that %s", ROUNDS, what);
}

static void send_nmi_to_boot_cpu(struct cpu *self)
{
    (void)self;
    smp_send_nmi(&smp_cpus[0]);
}

static void test_nmis_to_boot_cpu(void)
{
    bool arrive = true;

    smp_forget();
    for (u32 i = 1; i < smp_count; i++) {
        smp_order(&smp_cpus[i], send_nmi_to_boot_cpu);
        arrive &= smp_wait(&smp_cpus[0].nmis, i) && smp_done(&smp_cpus[i]);
    }
    ok(arrive, "so does one from each to the boot CPU");
}

void smp_test_nmis(void)
{
    test_nmis_to("spins", stay_idle);
    test_nmis_to("makes exits", stay_busy);
    test_nmis_to("is halted", smp_sleep);
    test_nmis_to("is halted with interrupts off", smp_park);
    test_nmis_to_boot_cpu();
}
