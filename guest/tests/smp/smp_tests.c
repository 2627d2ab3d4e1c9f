/* More than one CPU. */
#include "tests/smp/smp_tests.h"

#include "harness/families.h"
#include "kernel/memory.h"
#include "kernel/smp_apic.h"
#include "tests/smp/smp_cost.h"
#include "tests/smp/smp_exits.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"

bool smp_begin(void)
{
    set_interrupt_handler(VECTOR_CALL, smp_on_call);
    set_interrupt_handler(VECTOR_SHOOT_DOWN, smp_on_shoot_down);
    set_interrupt_handler(VECTOR_NMI, smp_on_nmi);
    smp_exits_init();
    sti(); /* who waits for another CPU lets a hypervisor below run it */
    smp_start_all();
    return smp_count > 1;
}

static void end(void)
{
    cli();
    set_interrupt_handler(VECTOR_CALL, NULL);
    set_interrupt_handler(VECTOR_SHOOT_DOWN, NULL);
    set_interrupt_handler(VECTOR_NMI, NULL);
}

static void test_all(void)
{
    ok(smp_found_after_init(), "a CPU starts in real mode as after a reset");
    if (smp_one_a_sipi())
        tally_skip("the emulator's SIPI to all starts one CPU", "all CPUs of Tally's");
    else
        tally_ok(!under_tally() || smp_count == cpuid(LEAF_INFO, 0).ebx, "all CPUs of Tally's");
    smp_test_sipi_to_running_cpu();
    smp_test_calls();
    smp_test_sleepers();
    smp_test_nmis();
    smp_test_shoot_downs();
    smp_test_restarts("waits", NULL);
    smp_test_restarts("counts", smp_count_for_ever);
    smp_test_restarts("is halted", smp_sleep);
    smp_test_restarts("is halted with interrupts off", smp_park);
    ok(smp_start_all(), "all start again at once");
    test_exits(20000);
}

void test_smp(void)
{
    if (smp_begin())
        test_all();
    else if (under_tally() && cpuid(LEAF_INFO, 0).ebx > 1)
        tally_ok(false, "all CPUs of Tally's");
    else
        skip("one CPU", "other CPUs");
    end();
}

void test_smp_x2apic(void)
{
    if (!apic_has_x2apic())
        skip("no x2APIC", "x2APIC");
    else if (smp_begin()) {
        smp_use_x2apic();
        test_all();
    }
    end();
}

/* Much longer, and nothing else. */
void test_smp_exits(void)
{
    if (smp_begin())
        test_exits(500000);
    end();
}

/* What an exit costs when all CPUs make them; one CPU will do. */
void test_smp_cost(void)
{
    smp_begin();
    measure_exits_at_once();
    ok(true, "measured");
    end();
}
