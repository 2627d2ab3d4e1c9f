// Which exits by INIT behind a SIPI are of an INIT that came before it.
// link: hv/vmx/vcpu.c hv/smp/stale_init.c hv/smp/startup.c tests/unit/fake_vmcs*.c
#include "fake_vmcs.h"

#include "host/cpu.h"
#include "smp/smp.h"
#include "host/traps.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/capabilities.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"
#include "smp/stale_init.h"
#include "smp/startup.h"
#include "vmx/vmcs.h"

#define KHZ 1000000u

unsigned cpu_count, vcpu_count;
struct cpu *cpus[CPUS_MAX];
static struct vcpu *const vcpu = &fake_vcpu;
static unsigned holds;
struct vmx_capabilities vmx_capabilities;

/* None answers, so that drop_stale_init() comes back at once. */
bool hold_others(struct vcpu *self)
{
    (void)self;
    holds++;
    return false;
}

u32 tsc_khz(void)
{
    return KHZ;
}

/* What else startup.c and stale_init.c reach for. */
void tsc_wait_us(u32 microseconds)
{
    (void)microseconds;
}

void take_kicks(struct vcpu *v)
{
    (void)v;
}

void take_nmis(struct vcpu *v)
{
    (void)v;
}

void set_nmi_window(struct vcpu *v, bool on)
{
    (void)v, (void)on;
}

void flush_guest_tlb(struct vcpu *v)
{
    (void)v;
}

void unblock_nmi(void)
{
}

void vmcs_set_init_state(struct vcpu *v)
{
    (void)v;
}

void apic_reset(void)
{
}

void apic_repeat_sipi_to_others(u32 last_command, u8 page)
{
    (void)last_command, (void)page;
}

void let_others_go(void (*what)(u32 last_command))
{
    (void)what;
}

void give_errand_to_boot_cpu(void (*errand)(void))
{
    (void)errand;
}

void vmx_enable(struct cpu *cpu, const struct vmx_capabilities *c)
{
    (void)cpu, (void)c;
}

void vmx_disable(struct cpu *cpu)
{
    (void)cpu;
}

void start_again(struct cpu *cpu, void (*enter)(struct cpu *cpu))
{
    (void)cpu, (void)enter;
}

void wait_for_start_again(void)
{
}

void cancel_start_again(void)
{
}

static void enter(struct vcpu *v)
{
    (void)v;
    __builtin_trap();
}

void counter_add(struct reason_counter *to, const struct reason_counter *part)
{
    (void)to, (void)part;
}

/* What dispatch_exit() does before the handler. */
static void leave(u32 reason, u64 rip)
{
    fake_exit(reason, 0, 0);
    fake_set(GUEST_RIP, rip);
    vcpu->exit_tsc = rdtsc();
    vcpu->stats.reason[reason].count++;
}

static void init(u64 rip)
{
    leave(EXIT_INIT_SIGNAL, rip);
    take_init(vcpu, enter);
}

static int sipi(void **state)
{
    (void)state;
    fake_reset();
    vcpu->stats = (struct statistics){0};
    vcpu->index = 1;
    holds = 0;
    leave(EXIT_SIPI, 0);
    take_sipi(vcpu, 8);
    return 0;
}

static void the_first_is_passed_over(void **state)
{
    (void)state;
    init(0);
    assert_int_equal(vcpu->presence, RUNS);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
    assert_int_equal(holds, 0);
}

static void the_second_is_dropped(void **state)
{
    (void)state;
    init(0);
    init(0);
    assert_int_equal(holds, 1);
}

static void one_that_comes_later_counts(void **state)
{
    (void)state;
    vcpu->sipi_tsc = rdtsc() - KHZ; /* a millisecond */
    init(0);
    assert_int_equal(holds, 1); /* it might be Bochs' all the same */
    assert_int_equal(vcpu->presence, WAITS_FOR_SIPI);
}

static void one_to_a_running_guest_counts(void **state)
{
    (void)state;
    init(2);
    assert_int_equal(vcpu->presence, WAITS_FOR_SIPI);
    sipi(NULL);
    leave(EXIT_CPUID, 0);
    leave(EXIT_CPUID, 0);
    init(0);
    assert_int_equal(vcpu->presence, WAITS_FOR_SIPI);
    assert_int_equal(holds, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, sipi)
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_passed_over),
        TEST(the_second_is_dropped),
        TEST(one_that_comes_later_counts),
        TEST(one_to_a_running_guest_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
