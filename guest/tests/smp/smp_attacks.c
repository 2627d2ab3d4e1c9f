/* What only a second CPU can do to Tally: NMIs at a bad moment, CPUs that hear none. */
#include "harness/families.h"
#include "kernel/memory.h"
#include "tests/smp/smp_tests.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define ROUNDS 3000
#define INIT_ROUNDS 40
#define DIRECT_MAP 0xFFFF800000000000ull /* where Tally maps all memory for itself */
#define MTRR_VALID BIT(11)

static volatile u32 nmis;

static void count_nmi(struct trap_frame *frame) /* GS may be anything */
{
    (void)frame;
    nmis++;
}

static void spin_for(u32 turns)
{
    for (volatile u32 i = 0; i < turns; i++)
        ;
}

static bool begin(void)
{
    bool others = smp_begin();

    set_interrupt_handler(VECTOR_NMI, count_nmi);
    if (!others)
        skip("one CPU", "other CPUs");
    return others;
}

/* ---- WRMSR of IA32_GS_BASE while NMIs come ---- */

static u64 target[512] __attribute__((aligned(4096)));

static void load_gs_bases(struct cpu *self)
{
    while (!self->leave) {
        wrmsr(IA32_GS_BASE, DIRECT_MAP + (u64)target);
        wrmsr(IA32_GS_BASE, (u64)self);
    }
}

static void test_gs_base(void)
{
    u64 sum = 0;

    smp_order(&smp_cpus[1], load_gs_bases);
    for (u32 round = 0; round < ROUNDS; round++) {
        smp_send_nmi(&smp_cpus[1]);
        spin_for(round % 97);
    }
    smp_cpus[1].leave = true;
    ok(smp_done(&smp_cpus[1]) && nmis, "NMIs come while a CPU writes IA32_GS_BASE");
    for (u32 i = 0; i < ARRAY_SIZE(target); i++)
        sum += target[i];
    ok(!sum, "Tally writes nothing through the guest's IA32_GS_BASE");
}

/* ---- NMIs to a CPU that INIT has stopped ---- */

static void test_nmi_after_init(void)
{
    bool started = true;

    for (u32 round = 0; round < INIT_ROUNDS; round++) {
        smp_order(&smp_cpus[1], smp_count_for_ever);
        smp_linger();
        smp_send_init(&smp_cpus[1]);
        spin_for(round * 2);
        for (u32 i = 0; i < 20; i++)
            smp_send_nmi(&smp_cpus[1]);
        started &= smp_start_one(&smp_cpus[1]);
    }
    ok(started, "NMIs to a CPU that INIT has stopped do nothing");
}

/* ---- CPUs with the APIC switched off ---- */

static void switch_apic_off(void)
{
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) & ~APIC_BASE_ENABLE);
}

static void deaf(struct cpu *self)
{
    switch_apic_off();
    smp_cpus[0].argument = 1;
    smp_count_for_ever(self);
}

/* The types of Tally's EPT change, which it tells the other CPUs. */
static void change_memory_types(void)
{
    u64 mask = rdmsr(IA32_MTRR_PHYSMASK0 + 14);

    wrmsr(IA32_MTRR_DEF_TYPE, rdmsr(IA32_MTRR_DEF_TYPE) | BIT(11));
    wrmsr(IA32_MTRR_PHYSBASE0 + 14, 0xE0000000);
    wrmsr(IA32_MTRR_PHYSMASK0 + 14, 0xFF0000000 | MTRR_VALID);
    wrmsr(IA32_MTRR_PHYSMASK0 + 14, mask);
}

static void test_apic_off(void)
{
    smp_order(&smp_cpus[1], deaf);
    while (!smp_cpus[0].argument)
        ;
    note("CPU 1 is deaf");
    change_memory_types();
    ok(true, "a CPU that hears no IPI is not waited for");
    switch_apic_off();
    note("CPU 0 is dumb");
    change_memory_types();
    ok(true, "nor are others by one that cannot send any");
}

void test_smp_gs_base(void)
{
    if (begin())
        test_gs_base();
}

void test_smp_nmi_after_init(void)
{
    if (begin())
        test_nmi_after_init();
}

void test_smp_apic_off(void)
{
    if (begin())
        test_apic_off();
}
