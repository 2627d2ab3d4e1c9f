/* Starting and stopping the other CPUs. */
#include "tests/smp/smp_tests.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/registers.h"

#define RESTARTS 3

bool smp_found_after_init(void)
{
    const struct smp_first *f = smp_found();

    return !f->eax && f->cs == 0x600 && f->eflags == RFLAGS_FIXED &&
           (f->cr0 & ~(u32)(CR0_CD | CR0_NW)) == CR0_ET && !f->cr4 && !f->dr0 && !f->efer;
}

static void leave_traces(struct cpu *self)
{
    write_dr0(0x1000 + self->index);
}

static bool restart(struct cpu *cpu, void (*busy)(struct cpu *self))
{
    u32 starts = cpu->starts;

    smp_order(cpu, leave_traces);
    smp_done(cpu);
    if (busy) {
        smp_order(cpu, busy);
        smp_linger();
    }
    return smp_start_one(cpu) && cpu->starts == starts + 1 && smp_found_after_init();
}

void smp_test_restarts(const char *what, void (*busy)(struct cpu *self))
{
    bool passed = true;

    for (u32 round = 0; round < RESTARTS; round++)
        for (u32 i = 1; i < smp_count; i++)
            passed &= restart(&smp_cpus[i], busy);
    ok(passed, "INIT and SIPI start a CPU that %s again, as after a reset, %u times", what,
       RESTARTS);
}

void smp_count_for_ever(struct cpu *self)
{
    for (;;)
        self->argument++;
}

void smp_test_sipi_to_running_cpu(void)
{
    bool ignored = true;

    for (u32 i = 1; i < smp_count; i++) {
        struct cpu *cpu = &smp_cpus[i];
        u32 starts = cpu->starts;

        smp_send_sipi(cpu);
        smp_linger();
        smp_order(cpu, leave_traces);
        ignored &= smp_done(cpu) && cpu->starts == starts;
    }
    ok(ignored, "a SIPI to a running CPU is ignored");
}
