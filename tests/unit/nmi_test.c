// Whose an NMI is: kicks and the guest's NMIs, in every order.
// link: tests/unit/fake_vmcs*.c
#include "fake_vmcs.h"

#include <pthread.h>
#include <time.h>

#include "host/cpu.h"
#include "host/traps.h"
#include "lib/atomic.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"

#define NMI_INJECTED (INTERRUPTION_VALID | TYPE_NMI << INTERRUPTION_TYPE_SHIFT | VECTOR_NMI)

unsigned cpu_count = 2, vcpu_count = 2;
static struct cpu *list[8];
struct cpu **cpus = list;
static struct cpu sender_cpu, target_cpu;
static struct vcpu *const sender = &sender_cpu.vcpu, *const target = &target_cpu.vcpu;
static unsigned sent, sipis, left, flushed;
static jmp_buf halted;

void apic_send(u32 apic_id, u32 command)
{
    assert_int_equal(apic_id, 1);
    assert_true(command == SEND_NMI || command == SEND_SIPI(0));
    sent += command == SEND_NMI;
    sipis += command != SEND_NMI;
}

void vmxoff_safe(void)
{
    left++;
}

void flush_ept(void)
{
    flushed++;
}

static bool concurrent; /* the target is a thread */

void tsc_wait_us(u32 microseconds)
{
    if (concurrent)
        nanosleep(&(struct timespec){.tv_nsec = 1000 * microseconds}, NULL);
}

int acknowledge_interrupt(void)
{
    return -1;
}

void cli(void)
{
}

void hlt(void)
{
    longjmp(halted, 1);
}

static int reset(void **state)
{
    (void)state;
    fake_reset();
    sender_cpu = target_cpu = (struct cpu){0};
    cpus[0] = &sender_cpu;
    cpus[1] = &target_cpu;
    target->controls = fake_vcpu.controls;
    target->apic_id = target->index = 1;
    sender->presence = target->presence = RUNS;
    sent = sipis = left = flushed = 0;
    return 0;
}

/* So many NMIs have arrived at the target; how many of them the guest gets at once (0 or 1). */
static unsigned arrive(unsigned nmis)
{
    fake_set(VM_ENTRY_INTERRUPTION_INFO, 0);
    target->nmis += nmis;
    take_nmis(target);
    assert_int_equal(target->nmis, 0);
    u64 info = fake_get(VM_ENTRY_INTERRUPTION_INFO);
    assert_true(info == 0 || info == NMI_INJECTED);
    return info != 0;
}

static bool window(void)
{
    return fake_get(PRIMARY_PROCBASED_CONTROLS) & PROC_NMI_WINDOW_EXITING;
}

static void a_kick_is_not_the_guests(void **state)
{
    (void)state;
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(sent, 1);
    assert_int_equal(arrive(1), 0);
    assert_int_equal(flushed, 1);
    assert_int_equal(arrive(1), 1);
}

static void one_nmi_answers_for_many_kicks(void **state)
{
    (void)state;
    kick_others(sender, KICK_FLUSH_EPT);
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(sent, 1);
    assert_int_equal(arrive(1), 0);
    assert_int_equal(flushed, 1);
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(sent, 2);
    assert_int_equal(arrive(1), 0);
}

static void together_they_are_two(void **state)
{
    (void)state;
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(arrive(2), 1);
    assert_false(window());
    assert_int_equal(flushed, 1);
}

static void the_guests_may_come_first(void **state)
{
    (void)state;
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(arrive(1), 0); /* the guest's: the kick is done, Tally's is still to come */
    assert_int_equal(flushed, 1);
    assert_int_equal(arrive(1), 1);
}

static void a_kick_may_be_done_before_its_nmi(void **state)
{
    (void)state;
    kick_others(sender, KICK_FLUSH_EPT);
    take_kicks(target);
    assert_int_equal(flushed, 1);
    assert_int_equal(arrive(1), 0);
    assert_int_equal(flushed, 1);
}

static void who_waits_for_a_sipi_is_not_disturbed(void **state)
{
    (void)state;
    target->presence = WAITS_FOR_SIPI;
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(sent, 0);
    target->presence = RUNS;
    take_kicks(target);
    assert_int_equal(flushed, 1);
    assert_int_equal(arrive(1), 1);
}

static void one_more_waits_in_the_guest(void **state)
{
    (void)state;
    assert_int_equal(arrive(3), 1); /* as in a CPU: one taken, one pending, the third merges */
    assert_int_equal(target->guest_nmis, 1);
    assert_true(window());
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI);
    assert_int_equal(arrive(1), 0);
    fake_set(GUEST_INTERRUPTIBILITY, 0);
    assert_int_equal(arrive(0), 0); /* nothing new */
    queue_nmis(target, 0);          /* what the exit by the NMI window does */
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), NMI_INJECTED);
    assert_false(window());
}

static void smis_do_not_block_nmis(void **state)
{
    (void)state;
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
    assert_int_equal(arrive(1), 1);
}

static void an_event_of_the_entry_goes_first(void **state)
{
    (void)state;
    target->nmis = 1;
    fake_set(VM_ENTRY_INTERRUPTION_INFO, INTERRUPTION_VALID | 0x20);
    take_nmis(target);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), INTERRUPTION_VALID | 0x20);
    assert_true(window());
}

static void nothing_is_injected_while_a_sipi_is_awaited(void **state)
{
    (void)state;
    target->presence = WAITS_FOR_SIPI;
    assert_int_equal(arrive(2), 0);
    assert_false(window());
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(arrive(1), 0);
    assert_int_equal(flushed, 1);
}

static void a_deaf_cpu_is_not_waited_for(void **state)
{
    (void)state;
    flush_ept_everywhere(sender); /* returns, although the target never answers */
    assert_int_equal(sent, 1);
    assert_true(target->deaf && !sender->deaf);
    assert_int_equal(arrive(0), 0); /* its next exit */
    assert_int_equal(flushed, 2);
    kick_others(sender, KICK_FLUSH_EPT);
    assert_int_equal(sent, 1);
    assert_int_equal(arrive(0), 0);
    assert_int_equal(flushed, 3);
    assert_int_equal(arrive(1), 1); /* the guest's */
    kick_others(sender, KICK_STOP); /* it may hear after all */
    assert_int_equal(sent, 2);
}

static unsigned errands; /* that the target ran */

static void run_errand(struct vcpu *vcpu)
{
    if (vcpu == target)
        atomic_add(&errands, 1);
}

static bool errand_is_done(const struct vcpu *other)
{
    (void)other;
    return atomic_load(&errands) > 0;
}

static void a_deaf_cpu_runs_its_errand_later(void **state)
{
    (void)state;
    errands = 0;
    assert_false(send_errand(sender, run_errand, errand_is_done));
    assert_true(target->deaf);
    assert_int_equal(errands, 0);
    arrive(0);
    assert_int_equal(errands, 1);
    assert_true(send_errand(sender, run_errand, errand_is_done)); /* done already, as it says */
}

static bool over;

static void *run_target(void *nothing)
{
    while (!atomic_load(&over)) {
        take_kicks(target);
        tsc_wait_us(1);
    }
    return nothing;
}

static void who_answers_is_waited_for(void **state)
{
    (void)state;
    pthread_t thread;
    concurrent = true;
    assert_int_equal(pthread_create(&thread, NULL, run_target, NULL), 0);
    for (unsigned round = 0; round < 4; round++) {
        errands = 0;
        assert_true(send_errand(sender, run_errand, errand_is_done));
        assert_int_equal(errands, 1);
    }
    flush_ept_everywhere(sender);
    assert_int_equal(target->ept_generation, sender->ept_generation);
    assert_false(target->deaf);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    concurrent = false;
}

#define MACHINE_CHECK_INJECTED                                                                     \
    (INTERRUPTION_VALID | TYPE_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT | VECTOR_MC)

static u64 after_machine_check(u64 injected_already)
{
    fake_set(VM_ENTRY_INTERRUPTION_INFO, injected_already);
    target->nmis = NMIS_MACHINE_CHECK;
    take_nmis(target);
    assert_int_equal(target->nmis, 0);
    return fake_get(VM_ENTRY_INTERRUPTION_INFO);
}

static void a_machine_check_is_the_guests(void **state)
{
    (void)state;
    u64 interrupt = INTERRUPTION_VALID | 0x41;
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_MCE);
    fake_set(CR4_READ_SHADOW, CR4_MCE);
    assert_int_equal(after_machine_check(0), MACHINE_CHECK_INJECTED);
    assert_false(window());
    assert_int_equal(arrive(0), 0);

    assert_int_equal(after_machine_check(interrupt), interrupt); /* which would be lost */
    assert_true(window());
    fake_set(VM_ENTRY_INTERRUPTION_INFO, 0);
    queue_nmis(target, 0);
    assert_true(window());
    take_nmi_window(target);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), MACHINE_CHECK_INJECTED);
    assert_false(window());

    target->presence = WAITS_FOR_SIPI;
    assert_int_equal(after_machine_check(0), 0);
}

static void a_machine_check_before_an_nmi(void **state)
{
    (void)state;
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_MCE);
    fake_set(CR4_READ_SHADOW, CR4_MCE);
    target->nmis = NMIS_MACHINE_CHECK | 1;
    take_nmis(target);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), MACHINE_CHECK_INJECTED);
    assert_int_equal(target->guest_nmis, 1);
    assert_true(window());
}

/* CR4.MCE off: on a CPU of its own it shuts down. */
static void a_machine_check_may_be_the_end(void **state)
{
    (void)state;
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) & ~CR4_MCE);
    fake_set(CR4_READ_SHADOW, 0);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal)) {
        after_machine_check(0);
        fail_msg("the guest goes on");
    }
}

static void stop_is_for_good(void **state)
{
    (void)state;
    kick_others(sender, KICK_STOP);
    if (!setjmp(halted)) {
        arrive(1);
        fail_msg("the CPU went on");
    }
    assert_int_equal(target->presence, STOPPED);
    assert_true(stop_others(sender));
}

static void who_does_not_stop_is_not_waited_for(void **state)
{
    (void)state;
    assert_false(stop_others(sender));
}

/* In VMX operation it would hear neither the INIT of a reset nor that of the firmware after it. */
static void who_has_stopped_leaves_vmx_operation_when_told(void **state)
{
    (void)state;
    kick_others(sender, KICK_STOP);
    if (!setjmp(halted))
        arrive(1);
    assert_int_equal(left, 0);
    sent = 0;
    let_all_leave(sender);
    assert_int_equal(sent, 1); /* which wakes it up */
    assert_int_equal(sipis, 0);
    assert_int_equal(left, 1); /* the sender itself */
    if (!setjmp(halted))
        stay_in_tally();
    assert_int_equal(left, 2);
}

static void only_a_sipi_reaches_a_vcpu_that_waits_for_one(void **state)
{
    (void)state;
    target->presence = WAITS_FOR_SIPI;
    let_all_leave(sender);
    assert_int_equal(sent, 0);
    assert_int_equal(sipis, 1);
    vcpu_count = 1; /* not the guest's: it stays in Tally */
    let_all_leave(sender);
    vcpu_count = 2;
    assert_int_equal(sent, 1);
    assert_int_equal(sipis, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kick_is_not_the_guests),
        TEST(one_nmi_answers_for_many_kicks),
        TEST(together_they_are_two),
        TEST(the_guests_may_come_first),
        TEST(a_kick_may_be_done_before_its_nmi),
        TEST(who_waits_for_a_sipi_is_not_disturbed),
        TEST(one_more_waits_in_the_guest),
        TEST(smis_do_not_block_nmis),
        TEST(an_event_of_the_entry_goes_first),
        TEST(nothing_is_injected_while_a_sipi_is_awaited),
        TEST(a_deaf_cpu_is_not_waited_for),
        TEST(a_deaf_cpu_runs_its_errand_later),
        TEST(who_answers_is_waited_for),
        TEST(a_machine_check_is_the_guests),
        TEST(a_machine_check_before_an_nmi),
        TEST(a_machine_check_may_be_the_end),
        TEST(stop_is_for_good),
        TEST(who_does_not_stop_is_not_waited_for),
        TEST(who_has_stopped_leaves_vmx_operation_when_told),
        TEST(only_a_sipi_reaches_a_vcpu_that_waits_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
