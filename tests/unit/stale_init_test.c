// Which exits by INIT behind a SIPI are of an INIT that came before it.
// link: tests/unit/fake_vmcs*.c
#include "fake_vmcs.h"

#include <pthread.h>
#include <setjmp.h>
#include <time.h>

#include "host/cpu.h"
#include "smp/smp.h"
#include "host/traps.h"
#include "lib/atomic.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/capabilities.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"
#include "smp/stale_init.h"
#include "vmx/vmcs.h"
#include "x86/msr.h"

#define KHZ 4000000000u /* a moment is long, should this machine be busy */

unsigned cpu_count, vcpu_count;
static struct cpu *list[8];
struct cpu **cpus = list;
static struct cpu starting, boot; /* the one that has the INIT, and the one that is held */
static struct vcpu *const vcpu = &starting.vcpu;
static unsigned holds;
struct vmx_capabilities vmx_capabilities;

static void (*errand)(struct vcpu *other);
static bool others_answer, boot_is_held, left_vmx, init_comes;
static unsigned enabled, started_anew;
static pthread_t thread;
static unsigned sipis, sipis_repeated;
static jmp_buf entered;

static void *run_errand(void *nothing)
{
    errand(&boot.vcpu);
    atomic_store(&boot_is_held, false);
    return nothing;
}

/* The boot CPU is a thread, if it answers at all. */
bool send_errand(struct vcpu *self, void (*what)(struct vcpu *other),
                 bool (*done)(const struct vcpu *other))
{
    assert_ptr_equal(self, vcpu);
    holds++;
    if (!others_answer)
        return false;
    errand = what;
    boot_is_held = true;
    assert_false(done(&boot.vcpu));
    assert_int_equal(pthread_create(&thread, NULL, run_errand, NULL), 0);
    while (!done(&boot.vcpu))
        ;
    return true;
}

void vmx_disable(struct cpu *cpu)
{
    assert_ptr_equal(cpu, &starting);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* time to go, if it could */
    assert_true(atomic_load(&boot_is_held));
    left_vmx = true;
}

static void (*come_back)(struct cpu *cpu);

u8 lend_start_page(struct cpu *cpu, void (*enter)(struct cpu *cpu))
{
    assert_ptr_equal(cpu, &starting);
    come_back = enter;
    return 7;
}

void give_start_page_back(void)
{
    assert_true(atomic_load(&boot_is_held));
}

#define SIPI_TO_ALL 0xC0608 /* to all others, page 8 */

void apic_send(u32 apic_id, u32 command)
{
    if (command == SIPI_TO_ALL) {
        atomic_add(&sipis_repeated, 1);
        return;
    }
    assert_int_equal(apic_id, 1);
    assert_int_equal(command, SEND_SIPI(7));
    atomic_add(&sipis, 1);
}

u32 apic_last_command(void)
{
    return SIPI_TO_ALL;
}

u32 tsc_khz = KHZ;

/* What else startup.c and stale_init.c reach for. */
void tsc_wait_us(u32 microseconds)
{
    (void)microseconds;
    if (pthread_equal(pthread_self(), thread) || !left_vmx || !init_comes)
        return; /* the boot CPU waits, too */
    left_vmx = false;
    while (!atomic_load(&sipis))
        ;
    come_back(&starting);
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
    started_anew++;
}

void apic_reset(void)
{
}

void vmx_enable(struct cpu *cpu, const struct vmx_capabilities *c)
{
    (void)cpu, (void)c;
    enabled++;
}

static void enter(struct vcpu *v)
{
    assert_ptr_equal(v, vcpu);
    longjmp(entered, 1);
}

void counter_add(struct reason_counter *to, const struct reason_counter *part)
{
    (void)to, (void)part;
}

static u64 later; /* ticks between the SIPI and what follows */

/* What dispatch_exit() does before the handler. */
static void leave(u32 reason, u64 rip)
{
    fake_exit(reason, 0, 0);
    fake_set(GUEST_RIP, rip);
    vcpu->exit_tsc = rdtsc() + later;
    vcpu->stats->reason[reason].count++;
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
    static struct statistics counters;
    counters = (struct statistics){0};
    vcpu->stats = &counters;
    vcpu->index = vcpu->apic_id = 1;
    fake_msr(IA32_APIC_BASE, 0xFEE00800);
    cpus[0] = &boot;
    cpus[1] = &starting;
    boot.watch.started = 0;
    holds = enabled = started_anew = sipis = sipis_repeated = 0;
    later = 0;
    others_answer = left_vmx = init_comes = vcpu->init_unfinished = false;
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

static void kicks_in_between_change_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        leave(EXIT_EXCEPTION_NMI, 0);
    the_first_is_passed_over(NULL);
    leave(EXIT_EXCEPTION_NMI, 0);
    init(0);
    assert_int_equal(holds, 1);
}

static void the_second_is_dropped(void **state)
{
    (void)state;
    init(0);
    init(0);
    assert_int_equal(holds, 1);
}

/* Two exits by INIT, the second with others that can be held. */
static void restart(void)
{
    init(0);
    others_answer = true;
    if (!setjmp(entered)) {
        init(0);
        fail_msg("nothing happened");
    }
    pthread_join(thread, NULL);
    assert_false(boot_is_held);
    assert_int_equal(holds, 1);
    assert_int_equal(enabled, 1);
    assert_true(boot.watch.started > 0); /* the time that it was held does not count */
    assert_int_equal(sipis_repeated, 1); /* the guest of the boot CPU had sent one to all */
}

static void the_cpu_comes_back_as_the_sipi_left_it(void **state)
{
    (void)state;
    init_comes = true;
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
    restart();
    assert_true(sipis > 0);
    assert_int_equal(started_anew, 0);
    assert_int_equal(vcpu->presence, RUNS);
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), 0);
}

static void where_no_init_is_pending_it_was_a_new_one(void **state)
{
    (void)state;
    restart();
    assert_int_equal(started_anew, 1);
}

static void one_that_comes_later_counts(void **state)
{
    (void)state;
    later = KHZ; /* a millisecond */
    init(0);
    assert_int_equal(holds, 1); /* it might be Bochs' all the same */
    assert_int_equal(vcpu->presence, WAITS_FOR_SIPI);
}

/* A SIPI may be close behind: nothing is added up before the vCPU waits for it. */
static void one_to_a_running_guest_is_taken_at_once(void **state)
{
    (void)state;
    struct statistics *counters = vcpu->stats;
    leave(EXIT_INIT_SIGNAL, 0x100000);
    vcpu->stats = NULL;
    take_init(vcpu, enter);
    vcpu->stats = counters;
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
        TEST(kicks_in_between_change_nothing),
        TEST(the_second_is_dropped),
        TEST(the_cpu_comes_back_as_the_sipi_left_it),
        TEST(where_no_init_is_pending_it_was_a_new_one),
        TEST(one_that_comes_later_counts),
        TEST(one_to_a_running_guest_counts),
        TEST(one_to_a_running_guest_is_taken_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
