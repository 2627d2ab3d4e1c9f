// Exceptions, interrupts and NMIs that exit, and HLT: what reaches the guest, and when.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
#include "one_exit.h"

#include "host/cpu.h"
#include "x86/msr.h"

#define LENGTH 3 /* of an instruction that no event may step over */
#define UNBLOCKING ((u32)INTERRUPTION_NMI_UNBLOCKING)
#define NMI INJECTED(TYPE_NMI, VECTOR_NMI)

/* ---- Exceptions ---- */

static void start_exception(u32 info, u32 error_code, u64 qualification)
{
    start(EXIT_EXCEPTION_NMI, qualification, LENGTH);
    fake_set(VM_EXIT_INTERRUPTION_INFO, info);
    fake_set(VM_EXIT_INTERRUPTION_ERROR_CODE, error_code);
}

static void exceptions_go_to_the_guest(void **state)
{
    (void)state;
    static const struct {
        u32 info, error_code, passed_on, length;
        u64 cr2;
    } rows[] = {
        {INJECTED(3, VECTOR_DE), 0, 0, 0, 0},
        {INJECTED_UD, 0, 0, 0, 0},
        {INJECTED_GP, 0xABCD0018, 0x18, 0, 0}, /* SGX may set bits that no entry takes */
        {INJECTED_PF, 0x8007, 0x8007, 0, 0x123456789A},
        {INJECTED(TYPE_SOFTWARE_EXCEPTION, VECTOR_BP), 0, 0, LENGTH, 0},
        {INJECTED(TYPE_SOFTWARE_EXCEPTION, VECTOR_OF), 0, 0, LENGTH, 0},
        {INJECTED(TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), 0, 0, LENGTH, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start_exception(rows[i].info, rows[i].error_code, rows[i].cr2);
        fake_set(GUEST_DR7, DR7_FIXED | DR7_GD);
        assert_faulted(rows[i].info);
        assert_int_equal(fake_get(GUEST_DR7), DR7_FIXED | DR7_GD);
        assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE), rows[i].passed_on);
        assert_int_equal(fake_get(VM_ENTRY_INSTRUCTION_LENGTH), rows[i].length);
        assert_int_equal(fake_cpu.cr2, rows[i].cr2);
    }
}

/* An IRET that faults had ended the blocking of NMIs by then; in other cases the bit is undefined.
 */
static void nmis_are_blocked_again(void **state)
{
    (void)state;
    static const struct {
        u32 exception, delivery, injected;
        bool blocked;
    } rows[] = {
        {INJECTED_GP, 0, INJECTED_GP, false},
        {INJECTED_GP | UNBLOCKING, 0, INJECTED_GP, true},
        {INJECTED_PF | UNBLOCKING, 0, INJECTED_PF, true},
        {INJECTED_GP | UNBLOCKING, INJECTED(0, 0x41), INJECTED_GP, false},
        {INJECTED(3, VECTOR_DF) | (u32)INTERRUPTION_ERROR_CODE | UNBLOCKING, 0,
         INJECTED(3, VECTOR_DF) | (u32)INTERRUPTION_ERROR_CODE, false},
        {INJECTED(6, VECTOR_BP) | UNBLOCKING, 0, INJECTED(6, VECTOR_BP), false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start_exception(rows[i].exception, 0, 0);
        fake_set(IDT_VECTORING_INFO, rows[i].delivery);
        assert_faulted(rows[i].injected);
        assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), rows[i].blocked ? BLOCKING_BY_NMI : 0);
    }
    static const u32 reasons[] = {EXIT_EPT_VIOLATION, EXIT_PML_FULL, EXIT_SPP_EVENT};
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        start(reasons[i], UNBLOCKING, LENGTH);
        assert_resumed();
        assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
    }
}

static void triple_faults_are_the_end(void **state)
{
    (void)state;
    start(EXIT_TRIPLE_FAULT, 0, LENGTH);
    assert_stopped("");
    assert_true(fake_vcpu.shut_down);
}

/* What the CPU leaves undone when a debug exception exits. SDM vol. 3, 'Basic VM-Exit Information'.
 */
static void debug_exceptions_update_the_registers(void **state)
{
    (void)state;
    static const struct {
        u64 before, qualification, dr6;
    } rows[] = {
        {DR6_FIXED, BIT(0) | BIT(3), DR6_FIXED | BIT(0) | BIT(3)},
        {DR6_FIXED | 0xF, DR6_BS, DR6_FIXED | DR6_BS}, /* only B0 to B3 are cleared */
        {DR6_FIXED | DR6_BT | DR6_BS, DR6_BD, DR6_FIXED | DR6_BT | DR6_BS | DR6_BD},
        {DR6_FIXED, DR6_RTM | BIT(1), (DR6_FIXED & ~DR6_RTM) | BIT(1)},
        {DR6_FIXED & ~DR6_RTM, BIT(12) | BIT(2), DR6_FIXED | BIT(2)}, /* outside a transaction */
        {DR6_FIXED & ~DR6_RTM, DR6_BS, 0xFFFF4FF0},
        {DR6_FIXED, DR6_BUS_LOCK, 0xFFFF07F0}, /* active low ... */
        {DR6_FIXED & ~DR6_BUS_LOCK, DR6_BS,
         (DR6_FIXED & ~DR6_BUS_LOCK) | DR6_BS}, /* ... and sticky */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start_exception(INJECTED(3, VECTOR_DB), 0, rows[i].qualification);
        fake_cpu.dr[6] = rows[i].before;
        fake_set(GUEST_DR7, DR7_FIXED | DR7_GD | 0xFF);
        fake_set(GUEST_IA32_DEBUGCTL, DEBUGCTL_LBR | DEBUGCTL_BTF | DEBUGCTL_TRACES);
        assert_faulted(INJECTED(3, VECTOR_DB));
        assert_int_equal(fake_cpu.dr[6], rows[i].dr6);
        assert_int_equal(fake_get(GUEST_DR7), DR7_FIXED | 0xFF);
        assert_int_equal(fake_get(GUEST_IA32_DEBUGCTL), DEBUGCTL_TRACES);
        bool fault = rows[i].qualification & DR6_BD;
        assert_int_equal(fake_get(GUEST_RFLAGS) & RFLAGS_RF, fault ? RFLAGS_RF : 0);
    }
}

/* Hardware may save the pending step or not. SDM vol. 3, 'Saving Non-Register State'. */
static void single_steps_in_a_shadow(void **state)
{
    (void)state;
    static const u64 shadows[] = {BLOCKING_BY_MOV_SS, BLOCKING_BY_STI, 0};
    static const struct {
        u32 reason, injected;
    } rows[] = {
        {EXIT_EXCEPTION_NMI, INJECTED(3, VECTOR_DB)},
        {EXIT_EXCEPTION_NMI, INJECTED_GP},
        {EXIT_VMCALL, INJECTED_UD},
        {EXIT_WRMSR, INJECTED_GP},
        {EXIT_EPT_VIOLATION, 0},
        {EXIT_XSAVES, 0},
        {EXIT_URDMSR, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(shadows) * ARRAY_SIZE(rows); i++) {
        u64 shadow = shadows[i / ARRAY_SIZE(rows)];
        u32 reason = rows[i % ARRAY_SIZE(rows)].reason,
            injected = rows[i % ARRAY_SIZE(rows)].injected;
        bool debug = injected == INJECTED(3, VECTOR_DB);
        start(reason, debug ? DR6_BS : 0, LENGTH);
        fake_set(VM_EXIT_INTERRUPTION_INFO, injected);
        fake_vcpu.gpr[RCX] = IA32_SMBASE;
        fake_set(GUEST_INTERRUPTIBILITY, shadow);
        fake_set(GUEST_IA32_DEBUGCTL, debug ? DEBUGCTL_BTF : 0); /* which the exception clears */
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
        if (reason == EXIT_URDMSR)
            fake_set(GUEST_RIP, FAKE_RAM); /* the page of the instruction is gone meanwhile */
        assert_true(fake_dispatch());
        assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), injected);
        assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), shadow);
        assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS), shadow ? PENDING_DEBUG_BS : 0);
        assert_can_enter();
    }
}

/* ---- Interrupts, NMIs, HLT ---- */

static bool interrupts_exit(void)
{
    assert_int_equal(fake_get(PIN_BASED_CONTROLS), fake_vcpu.controls.pin);
    return fake_get(PIN_BASED_CONTROLS) & PIN_EXTERNAL_INTERRUPT_EXITING;
}

static bool window(u32 control)
{
    assert_int_equal(fake_get(PRIMARY_PROCBASED_CONTROLS), fake_vcpu.controls.proc);
    return fake_get(PRIMARY_PROCBASED_CONTROLS) & control;
}

static void sleep(void)
{
    fake_vcpu.halted = fake_vcpu.parked = true;
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
}

static void assert_awake(bool awake)
{
    assert_int_equal(fake_vcpu.halted, !awake);
    assert_int_equal(fake_vcpu.parked, !awake);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), awake ? ACTIVITY_ACTIVE : ACTIVITY_HLT);
}

static void interrupts_that_the_guest_can_take(void **state)
{
    (void)state;
    start(EXIT_EXTERNAL_INTERRUPT, 0, LENGTH);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    sleep();
    fake_waiting_vector = 0x41;
    assert_faulted(INJECTED(TYPE_EXTERNAL_INTERRUPT, 0x41));
    assert_awake(true);
    assert_true(interrupts_exit());

    start(EXIT_EXTERNAL_INTERRUPT, 0, LENGTH); /* which is gone */
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    sleep();
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE); /* Bochs saves that */
    assert_resumed();
    assert_awake(false);
    assert_true(interrupts_exit());
}

static void other_interrupts_wait_in_the_apic(void **state)
{
    (void)state;
    static const struct {
        u64 rflags, shadow;
    } rows[] = {
        {RFLAGS_FIXED, 0},
        {RFLAGS_FIXED | RFLAGS_IF, BLOCKING_BY_STI},
        {RFLAGS_FIXED | RFLAGS_IF, BLOCKING_BY_MOV_SS},
    };
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
        bool stays = i % 2;
        int vector = i < 2 ? 0 : 0x41; /* a PIC may have been told to begin with 0 */
        start(EXIT_EXTERNAL_INTERRUPT, 0, LENGTH);
        fake_set(GUEST_RFLAGS, rows[i / 2].rflags);
        fake_set(GUEST_INTERRUPTIBILITY, rows[i / 2].shadow);
        fake_waiting_vector = vector;
        assert_resumed();
        assert_int_equal(fake_waiting_vector, vector);
        assert_false(interrupts_exit());
        assert_true(window(PROC_INTERRUPT_WINDOW_EXITING));

        fake_exit(EXIT_INTERRUPT_WINDOW, 0, LENGTH);
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
        fake_set(GUEST_INTERRUPTIBILITY, 0);
        if (!stays)
            fake_waiting_vector = -1;
        if (stays)
            assert_faulted(INJECTED(TYPE_EXTERNAL_INTERRUPT, (u32)vector));
        else
            assert_resumed();
        assert_true(interrupts_exit());
        assert_false(window(PROC_INTERRUPT_WINDOW_EXITING));
    }
}

static void nmis_wait_for_the_end_of_blocking(void **state)
{
    (void)state;
    static const u64 blocking[] = {0, BLOCKING_BY_NMI, BLOCKING_BY_STI, BLOCKING_BY_MOV_SS};
    for (unsigned i = 0; i < ARRAY_SIZE(blocking); i++) {
        start_exception(NMI, 0, 0);
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
        fake_set(GUEST_INTERRUPTIBILITY, blocking[i]);
        if (!blocking[i]) {
            sleep();
            assert_faulted(NMI);
            assert_awake(true);
            continue;
        }
        fake_vcpu.halted = fake_vcpu.parked = blocking[i] == BLOCKING_BY_NMI;
        assert_resumed();
        assert_true(window(PROC_NMI_WINDOW_EXITING));
        assert_awake(!fake_vcpu.halted);
        fake_exit(EXIT_NMI_WINDOW, 0, LENGTH);
        fake_set(GUEST_INTERRUPTIBILITY, 0);
        assert_faulted(NMI);
        assert_awake(true);
        assert_false(window(PROC_NMI_WINDOW_EXITING));
    }
}

static void wait_for_window(int vector)
{
    fake_vcpu.interrupt_waits = true;
    fake_vcpu.controls.proc |= PROC_INTERRUPT_WINDOW_EXITING;
    fake_waiting_vector = vector;
}

static void start_hlt(u64 rflags)
{
    start(EXIT_HLT, 0, 1);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | rflags);
}

/* Some CPUs open the NMI window in the shadow of STI, where nothing can be injected. */
static void nmis_wait_for_the_end_of_stis_shadow(void **state)
{
    (void)state;
    start(EXIT_NMI_WINDOW, 0, 0);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    fake_vcpu.guest_nmis = 1;
    fake_vcpu.interrupt_waits = true;
    fake_waiting_vector = 0x41;
    assert_resumed();
    assert_false(window(PROC_NMI_WINDOW_EXITING));
    assert_true(window(PROC_INTERRUPT_WINDOW_EXITING));

    fake_exit(EXIT_INTERRUPT_WINDOW, 0, 0);
    fake_set(GUEST_INTERRUPTIBILITY, 0);
    assert_faulted(NMI);
    assert_int_equal(fake_vcpu.guest_nmis, 0);
    assert_true(window(PROC_INTERRUPT_WINDOW_EXITING)); /* the interrupt waits for its turn */

    start(EXIT_NMI_WINDOW, 0, 0); /* STI and HLT: the HLT ends the shadow */
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    fake_vcpu.guest_nmis = 1;
    assert_resumed();
    fake_exit(EXIT_HLT, 0, 1);
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), NMI);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
    assert_false(window(PROC_INTERRUPT_WINDOW_EXITING));
}

/* STI and CLI: the interrupt window stays shut, and an NMI comes all the same. */
static void nmis_come_after_an_instruction_in_stis_shadow(void **state)
{
    (void)state;
    start(EXIT_NMI_WINDOW, 0, 0);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    fake_vcpu.guest_nmis = 1;
    assert_resumed();
    assert_false(window(PROC_NMI_WINDOW_EXITING));
    assert_true(window(PROC_MONITOR_TRAP_FLAG));

    fake_exit(EXIT_MONITOR_TRAP_FLAG, 0, 0);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED);
    fake_set(GUEST_INTERRUPTIBILITY, 0);
    assert_faulted(NMI);
    assert_int_equal(fake_vcpu.guest_nmis, 0);
    assert_false(window(PROC_MONITOR_TRAP_FLAG));
}

/* An entry that injects an NMI would drop the step; behind it the window opens. */
static void single_steps_come_before_nmis(void **state)
{
    (void)state;
    static const u64 pending[] = {PENDING_DEBUG_BS, PENDING_DEBUG_ENABLED_BREAKPOINT | 1};
    for (unsigned i = 0; i < ARRAY_SIZE(pending); i++) {
        start(EXIT_NMI_WINDOW, 0, 0);
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | (i ? 0 : RFLAGS_TF));
        fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, pending[i]);
        fake_vcpu.guest_nmis = 1;
        assert_resumed();
        assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS), pending[i]);
        assert_true(window(PROC_NMI_WINDOW_EXITING));
    }
    start_hlt(RFLAGS_IF | RFLAGS_TF);
    wait_for_window(0x41);
    assert_advanced(1);
    assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS), PENDING_DEBUG_BS);
    assert_int_equal(fake_waiting_vector, 0x41);
}

/* The NMI of a kick that an INIT overtook: the next one, and the guest's, must not be taken for it.
 */
static void a_sipi_ends_what_came_before(void **state)
{
    (void)state;
    start(EXIT_SIPI, 0x10, 0);
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
    fake_vcpu.kick_nmi = true;
    fake_vcpu.nmis = 1;
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_CS_SELECTOR), 0x1000);
    assert_false(fake_vcpu.kick_nmi);
    assert_int_equal(fake_vcpu.nmis, 0);
}

/* On a CPU whose exits never say HLT it cannot be told. */
static void an_smm_handler_ends_hlt(void **state)
{
    (void)state;
    for (unsigned saves_hlt = 0; saves_hlt < 2; saves_hlt++) {
        start(EXIT_PREEMPTION_TIMER, 0, 0); /* which injects nothing */
        sleep();
        fake_set(GUEST_ACTIVITY_STATE, saves_hlt ? ACTIVITY_HLT : ACTIVITY_ACTIVE);
        assert_resumed();
        assert_awake(false);

        fake_exit(EXIT_EXTERNAL_INTERRUPT, 0, 0);
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED);
        fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
        assert_resumed();
        assert_awake(saves_hlt);
    }
}

static void hlt_sleeps(void **state)
{
    (void)state;
    start_hlt(RFLAGS_IF);
    assert_advanced(1);
    assert_true(fake_vcpu.halted && !fake_vcpu.parked);
    assert_int_equal(fake_get(GUEST_ACTIVITY_STATE), ACTIVITY_HLT);

    start_hlt(RFLAGS_IF | RFLAGS_TF); /* its own step */
    assert_advanced(1);
    assert_awake(true);

    start_hlt(RFLAGS_IF | RFLAGS_TF);
    fake_set(GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF); /* which HLT does not trip */
    assert_advanced(1);
    assert_true(fake_vcpu.halted);

    start_hlt(RFLAGS_IF); /* after STI */
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_STI);
    wait_for_window(0);
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP + 1);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), INJECTED(TYPE_EXTERNAL_INTERRUPT, 0));
    assert_awake(true);
}

static void hlt_without_interrupts_may_be_the_end(void **state)
{
    (void)state;
    static struct cpu other;
    static const struct {
        enum vcpu_presence presence;
        bool parked;
        u32 nmis;
        bool goes_on;
    } rows[] = {
        {WAITS_FOR_SIPI, false, 0, false},
        {RUNS, true, 0, false},
        {RUNS, true, 1, true},
        {RUNS, false, 0, true},
        {STOPPED, false, 0, true},
    };
    cpus[0] = &other;
    vcpu_count = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start_hlt(0);
        other.vcpu.presence = rows[i].presence;
        other.vcpu.parked = rows[i].parked;
        fake_vcpu.nmis = rows[i].nmis;
        assert_int_equal(fake_dispatch(), rows[i].goes_on);
        assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP + 1);
        assert_awake(false);
    }
    vcpu_count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exceptions_go_to_the_guest),
        cmocka_unit_test(nmis_are_blocked_again),
        cmocka_unit_test(triple_faults_are_the_end),
        cmocka_unit_test(debug_exceptions_update_the_registers),
        cmocka_unit_test(single_steps_in_a_shadow),
        cmocka_unit_test(interrupts_that_the_guest_can_take),
        cmocka_unit_test(other_interrupts_wait_in_the_apic),
        cmocka_unit_test(nmis_wait_for_the_end_of_blocking),
        cmocka_unit_test(nmis_wait_for_the_end_of_stis_shadow),
        cmocka_unit_test(nmis_come_after_an_instruction_in_stis_shadow),
        cmocka_unit_test(single_steps_come_before_nmis),
        cmocka_unit_test(a_sipi_ends_what_came_before),
        cmocka_unit_test(an_smm_handler_ends_hlt),
        cmocka_unit_test(hlt_sleeps),
        cmocka_unit_test(hlt_without_interrupts_may_be_the_end),
    };
    return cmocka_run_group_tests_name("Exits by events", tests, NULL, NULL);
}
