// INIT and SIPI, exits by controls that Tally arms, and by EPT.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
#include "one_exit.h"

#include <stdio.h>

#include "smp/kick.h"
#include "vmx/capabilities.h"
#include "vmx/vmcs.h"

#define LENGTH 3 /* of an instruction that no exit may step over */

static bool window(u32 control)
{
    assert_int_equal(fake_get(PRIMARY_PROCBASED_CONTROLS), fake_vcpu.controls.proc);
    return fake_get(PRIMARY_PROCBASED_CONTROLS) & control;
}

/* ---- INIT and SIPI ---- */

static void start_init(u32 index)
{
    start(EXIT_INIT_SIGNAL, 0, LENGTH);
    fake_vcpu.index = index;
    fake_vcpu.presence = RUNS;
}

static void init_of_the_boot_cpu_is_the_end(void **state)
{
    (void)state;
    start_init(0);
    assert_stopped("");
}

static void take_sipi(u8 vector)
{
    fake_exit(EXIT_SIPI, vector, LENGTH);
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_CS_SELECTOR), vector << 8);
    assert_int_equal(fake_get(GUEST_CS_BASE), vector << 12);
    assert_int_equal(fake_get(GUEST_RIP), 0);
    assert_int_equal(fake_vcpu.presence, RUNS);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), 0);
}

static void init_and_sipi_start_a_cpu_anew(void **state)
{
    (void)state;
    start_init(1);
    fake_vcpu.halted = fake_vcpu.parked = true;
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_NMI);
    fake_vcpu.guest_nmis = 1;
    fake_vcpu.controls.proc |= PROC_NMI_WINDOW_EXITING;
    fake_vcpu.gpr[RBX] = 5;
    fake_cpu.cr2 = fake_cpu.dr[0] = fake_cpu.dr[3] = fake_cpu.dr[6] = 5;
    fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
    fake_set(VM_ENTRY_INTERRUPTION_INFO, INTERRUPTION_VALID | 0x41);
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), 0);
    assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), 0);
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    assert_false(fake_get(GUEST_RFLAGS) & RFLAGS_IF);
    assert_int_equal(fake_vcpu.presence, WAITS_FOR_SIPI);
    assert_false(fake_vcpu.halted || fake_vcpu.parked || fake_vcpu.guest_nmis);
    assert_false(window(PROC_NMI_WINDOW_EXITING));

    fake_vcpu.deaf = true;
    fake_vcpu.kick = KICK_FLUSH_EPT;
    take_sipi(0x9A);
    assert_int_equal(fake_vcpu.gpr[RBX], 0);
    assert_int_equal(fake_get(CR0_READ_SHADOW), CR0_ET);
    assert_int_equal(fake_cpu.cr2 | fake_cpu.dr[0] | fake_cpu.dr[3], 0);
    assert_false(fake_vcpu.init_unfinished || fake_vcpu.chores);
    assert_int_equal(fake_cpu.dr[6], DR6_FIXED);
    assert_int_equal(fake_cpu.invalidations, 1);
    assert_false(fake_vcpu.deaf);
    assert_int_equal(fake_vcpu.kick, 0); /* nobody sent an NMI for it */
}

/* As at the start, when the state is that of INIT already: Bochs 2.7 leaves SMIs blocked. */
static void sipi_alone(void **state)
{
    (void)state;
    start(EXIT_SIPI, 0, 0);
    fake_vcpu.gpr[RBX] = 5;
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
    take_sipi(0x10);
    assert_int_equal(fake_vcpu.gpr[RBX], 5);
    fake_exit(EXIT_PAUSE, 0, 2);
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI | BLOCKING_BY_NMI);
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
    assert_true(fake_dispatch());
    assert_int_equal(fake_writes(XSS_EXITING_BITMAP), 0); /* another chore */
}

/* ---- Controls that Tally arms or leaves off ---- */

static void armed_controls_are_switched_off(void **state)
{
    (void)state;
    start(EXIT_MONITOR_TRAP_FLAG, 0, LENGTH);
    fake_vcpu.controls.proc |= PROC_MONITOR_TRAP_FLAG;
    fake_set(PRIMARY_PROCBASED_CONTROLS, fake_vcpu.controls.proc);
    assert_resumed();
    assert_false(window(PROC_MONITOR_TRAP_FLAG));

    start(EXIT_TPR_BELOW_THRESHOLD, 0, LENGTH);
    fake_set(TPR_THRESHOLD, 5);
    assert_resumed();
    assert_int_equal(fake_get(TPR_THRESHOLD), 0);

    static const struct {
        u32 reason, control;
    } rows[] = {{EXIT_APIC_ACCESS, PROC2_VIRTUALIZE_APIC_ACCESSES},
                {EXIT_SPP_EVENT, PROC2_SUB_PAGE_WRITE}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start(rows[i].reason, 0, LENGTH);
        u32 others = fake_vcpu.controls.proc2 &= ~rows[i].control;
        fake_vcpu.controls.proc2 |= rows[i].control;
        fake_set(SECONDARY_PROCBASED_CONTROLS, fake_vcpu.controls.proc2);
        assert_resumed();
        assert_int_equal(fake_get(SECONDARY_PROCBASED_CONTROLS), others);
        assert_int_equal(fake_vcpu.controls.proc2, others);
    }

    start(EXIT_PML_FULL, 0, LENGTH);
    fake_set(GUEST_PML_INDEX, 0xFFFF);
    assert_resumed();
    assert_int_equal(fake_get(GUEST_PML_INDEX), 511);

    start(EXIT_PREEMPTION_TIMER, 0, LENGTH);
    fake_vcpu.halted = true; /* but Bochs saves `active` */
    assert_resumed();
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_HLT);

    static const u32 nothing_to_do[] = {EXIT_VIRTUALIZED_EOI, EXIT_APIC_WRITE, EXIT_BUS_LOCK};
    for (unsigned i = 0; i < ARRAY_SIZE(nothing_to_do); i++) {
        start(nothing_to_do[i], 0, LENGTH);
        assert_resumed();
        assert_int_equal(fake_total_writes(), 0);
    }
}

static void the_guest_has_its_time(void **state)
{
    (void)state;
    start(EXIT_PREEMPTION_TIMER, 0, LENGTH);
    vmx_capabilities.misc = 3; /* the timer counts every 8 ticks */
    assert_null(time_limit_set(&fake_vcpu, 8, 0xFFFFFFFF / 1000 + 7));
    assert_true(fake_get(PIN_BASED_CONTROLS) & PIN_PREEMPTION_TIMER);
    assert_true(fake_get(VM_EXIT_CONTROLS) & EXIT_SAVE_PREEMPTION_TIMER);
    assert_int_equal(fake_get(PIN_BASED_CONTROLS), fake_vcpu.controls.pin);
    assert_int_equal(fake_get(VM_EXIT_CONTROLS), fake_vcpu.controls.exit);
    assert_int_equal(fake_get(VMX_PREEMPTION_TIMER_VALUE), 0xFFFFFFFF);

    fake_vcpu.halted = true;
    assert_resumed();
    assert_int_equal(fake_get(VMX_PREEMPTION_TIMER_VALUE), 7 * 1000 - 0xFFFFFFFF % 1000);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
    fake_exit(EXIT_PREEMPTION_TIMER, 0, LENGTH);
    assert_false(fake_dispatch());
}

static void a_time_that_cannot_be_measured(void **state)
{
    (void)state;
    start(EXIT_PREEMPTION_TIMER, 0, LENGTH);
    vmx_capabilities.word[WORD_PIN].allowed &= ~(u32)PIN_PREEMPTION_TIMER;
    vmx_capabilities.word[WORD_EXIT].allowed &= ~(u32)EXIT_SAVE_PREEMPTION_TIMER;
    assert_string_equal(
        time_limit_set(&fake_vcpu, 1, 1),
        "end=: this CPU cannot: activate VMX-preemption timer (pin-based control 6)");
    vmx_capabilities.word[WORD_PIN].allowed |= PIN_PREEMPTION_TIMER;
    assert_string_equal(
        time_limit_set(&fake_vcpu, 1, 1),
        "end=: this CPU cannot: save VMX-preemption timer value (VM-exit control 22)");
    vmx_capabilities.word[WORD_EXIT].allowed |= EXIT_SAVE_PREEMPTION_TIMER;
    assert_string_equal(time_limit_set(&fake_vcpu, 1, 0),
                        "end=: nothing tells the rate of this CPU's TSC");
    assert_null(time_limit_set(&fake_vcpu, 0, 0));
    assert_int_equal(fake_total_writes(), 0);
}

static void xsaves_runs_by_itself(void **state)
{
    (void)state;
    start(EXIT_XSAVES, 0, LENGTH);
    assert_true(fake_vcpu.controls.xss_exiting == ~0ull);
    fake_vcpu.controls.xss_exiting = 0x900;
    fake_set(XSS_EXITING_BITMAP, 0x900);
    assert_resumed();
    assert_int_equal(fake_get(XSS_EXITING_BITMAP), 0);
    for (unsigned exit = 0; exit < 2; exit++) {
        fake_exit(EXIT_PAUSE, 0, 2);
        fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI);
        assert_true(fake_dispatch());
        assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), BLOCKING_BY_SMI); /* another chore */
        assert_int_equal(fake_writes(XSS_EXITING_BITMAP), !exit);            /* once */
        assert_int_equal(fake_get(XSS_EXITING_BITMAP), 0x900);
    }
}

/* The exit itself has chores to do: not this one yet. */
static void xsaves_of_an_observed_vcpu(void **state)
{
    (void)state;
    start(EXIT_XSAVES, 0, LENGTH);
    vcpu_add_chore(&fake_vcpu, CHORE_SAMPLE);
    assert_resumed();
    assert_int_equal(fake_get(XSS_EXITING_BITMAP), 0);
    fake_exit(EXIT_PAUSE, 0, 2);
    assert_true(fake_dispatch());
    assert_true(fake_get(XSS_EXITING_BITMAP) == ~0ull);
    assert_int_equal(fake_vcpu.chores, CHORE_SAMPLE);
}

/* ---- Memory ---- */

static void start_violation(u64 physical, u64 qualification, enum fake_mode mode)
{
    start(EXIT_EPT_VIOLATION, qualification, LENGTH);
    fake_guest(mode);
    fake_set(GUEST_PHYSICAL_ADDRESS, physical);
    fake_set(GUEST_LINEAR_ADDRESS, 0x5678);
}

static void attempts_at_own_memory_are_named(void **state)
{
    (void)state;
    static const char *const said[] = {"read", "write", "execute"};
    static const u64 qualification[] = {BIT(0), EPT_VIOLATION_WRITE, EPT_VIOLATION_FETCH};
    for (unsigned i = 0; i < 10; i++) {
        start_violation(FAKE_RAM + 0x10, qualification[i % 3], GUEST_64BIT);
        assert_resumed();
        char line[100];
        snprintf(line, sizeof(line),
                 "tally: the guest's CPU 0 tried to %s Tally's memory at 200010, RIP 7000\n",
                 said[i % 3]);
        assert_string_equal(fake_output, i < 8 ? line : "");
    }
}

static void addresses_that_ept_cannot_translate(void **state)
{
    (void)state;
    static const struct {
        u64 qualification;
        enum fake_mode mode;
        u32 error_code;
    } rows[] = {{BIT(0), GUEST_64BIT, 9},
                {EPT_VIOLATION_WRITE, GUEST_64BIT, 0xB},
                {EPT_VIOLATION_WRITE, GUEST_64BIT_USER, 0xF}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start_violation(BIT(45), rows[i].qualification, rows[i].mode);
        assert_faulted(INJECTED_PF);
        assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE), rows[i].error_code);
        assert_int_equal(fake_cpu.cr2, 0x5678);
    }
}

static void misconfigurations_are_bugs(void **state)
{
    (void)state;
    start(EXIT_EPT_MISCONFIGURATION, 0, LENGTH);
    fake_set(GUEST_PHYSICAL_ADDRESS, 0x4000);
    assert_stopped("EPT misconfiguration on CPU 0: address 4000, level 1 entry 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_of_the_boot_cpu_is_the_end),
        cmocka_unit_test(init_and_sipi_start_a_cpu_anew),
        cmocka_unit_test(sipi_alone),
        cmocka_unit_test(armed_controls_are_switched_off),
        cmocka_unit_test(the_guest_has_its_time),
        cmocka_unit_test(a_time_that_cannot_be_measured),
        cmocka_unit_test(xsaves_runs_by_itself),
        cmocka_unit_test(xsaves_of_an_observed_vcpu),
        cmocka_unit_test(attempts_at_own_memory_are_named),
        cmocka_unit_test(addresses_that_ept_cannot_translate),
        cmocka_unit_test(misconfigurations_are_bugs),
    };
    return cmocka_run_group_tests_name("Armed exits", tests, NULL, NULL);
}
