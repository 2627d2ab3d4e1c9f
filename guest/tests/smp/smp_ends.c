/* Ends of a run, each by another CPU while the others make exits. */
#include "harness/families.h"
#include "tests/smp/smp_exits.h"
#include "tests/smp/smp_tests.h"
#include "harness/tap.h"
#include "x86/instructions.h"

static void exit_for_ever(struct cpu *self)
{
    for (;;)
        make_exit(self);
}

static void reset_machine(struct cpu *self)
{
    (void)self;
    for (u32 i = 0; i < 20; i++)
        smp_linger();
    outb(0x64, 0xD1); /* the keyboard controller's output port, whose bit 0 resets when it is 0 */
    outb(0x60, 0xDE);
    for (;;)
        hlt();
}

static void halt(struct cpu *self)
{
    (void)self;
    for (;;) {
        cli();
        hlt();
    }
}

static void init_boot_cpu(struct cpu *self)
{
    (void)self;
    smp_linger();
    smp_send_init(&smp_cpus[0]);
    for (;;)
        ;
}

static void print_for_ever(struct cpu *self)
{
    for (u32 i = 0;; i++)
        note("CPU %u, line %u", self->index, i);
}

/* Under test=entry-fail-late that is the boot CPU's last instruction. */
static void vmcall(struct cpu *self)
{
    (void)self;
    for (u32 i = 0; i < 5; i++)
        smp_linger();
    __asm__ volatile("vmcall");
}

static void end_run(const char *how, void (*last)(struct cpu *self),
                    void (*others)(struct cpu *self))
{
    if (!smp_begin())
        return;
    note("the run ends: %s", how);
    for (u32 i = 1; i < smp_count; i++)
        smp_order(&smp_cpus[i], i == smp_count - 1 ? last : others);
    others(&smp_cpus[0]);
}

void test_smp_reset(void)
{
    end_run("a CPU resets the machine", reset_machine, exit_for_ever);
}

void test_smp_halt(void)
{
    end_run("all CPUs are halted", halt, halt);
}

void test_smp_init(void)
{
    end_run("a CPU sends INIT to the boot CPU", init_boot_cpu, smp_count_for_ever);
}

void test_smp_vmcall(void)
{
    end_run("VMCALL, while other CPUs print", print_for_ever, vmcall);
}
