// link: tests/unit/fake_vmcs*.c
/*
 * An exception during the delivery of an event: every pair of both, against the tables 'Interrupt
 * and Exception Classes' and 'Conditions for Generating a Double Fault' of the SDM.
 */
#include "fake_vmcs.h"

#include "host/traps.h"
#include "vmx/events.h"

int acknowledge_interrupt(void)
{
    fail_msg("an interrupt is taken");
    return -1;
}

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, ABORT, NO_EXCEPTION };

static const enum class classes[32] = {
    [VECTOR_DE] = CONTRIBUTORY, [VECTOR_NMI] = NO_EXCEPTION, [VECTOR_DF] = ABORT,
    [VECTOR_TS] = CONTRIBUTORY, [VECTOR_NP] = CONTRIBUTORY,  [VECTOR_SS] = CONTRIBUTORY,
    [VECTOR_GP] = CONTRIBUTORY, [VECTOR_PF] = PAGE_FAULT,    [VECTOR_VE] = PAGE_FAULT,
    [VECTOR_CP] = CONTRIBUTORY, [9] = NO_EXCEPTION,          [15] = NO_EXCEPTION,
    [22 ... 31] = NO_EXCEPTION,
};

enum outcome { BOTH_IN_TURN, DOUBLE_FAULT, SHUTDOWN };

static const enum outcome outcomes[][3] = {
    /* the second one:  benign, contributory, page fault */
    [BENIGN] = {BOTH_IN_TURN, BOTH_IN_TURN, BOTH_IN_TURN},
    [CONTRIBUTORY] = {BOTH_IN_TURN, DOUBLE_FAULT, BOTH_IN_TURN},
    [PAGE_FAULT] = {BOTH_IN_TURN, DOUBLE_FAULT, DOUBLE_FAULT},
    [ABORT] = {BOTH_IN_TURN, SHUTDOWN, SHUTDOWN},
};

static const u64 with_error_code = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) |
                                   BIT(VECTOR_SS) | BIT(VECTOR_GP) | BIT(VECTOR_PF) |
                                   BIT(VECTOR_AC) | BIT(VECTOR_CP);

#define ERROR_CODE 0x1239

static u32 exception(unsigned vector)
{
    u32 error = with_error_code >> vector & 1 ? INTERRUPTION_ERROR_CODE : 0;
    return (u32)INTERRUPTION_VALID | error | TYPE_HARDWARE_EXCEPTION << 8 | vector;
}

/* `second` while the event `first` was being delivered. */
static void raise(u32 first, unsigned second, enum outcome outcome)
{
    fake_reset();
    fake_exit(EXIT_EXCEPTION_NMI, 0, 3);
    fake_vcpu.vectoring = first;
    enum exit_action action = inject_exception(&fake_vcpu, second, ERROR_CODE);
    assert_int_equal(action, outcome == SHUTDOWN ? EXIT_STOP : EXIT_RETRY);
    assert_int_equal(fake_vcpu.shut_down, outcome == SHUTDOWN);
    assert_int_equal(fake_vcpu.vectoring, 0);
    assert_int_equal(fake_vcpu.guest_nmis, 0);
    assert_int_equal(fake_writes(PRIMARY_PROCBASED_CONTROLS), 0); /* no window: nothing waits */
    if (outcome == SHUTDOWN)
        return;
    u32 injected = exception(outcome == DOUBLE_FAULT ? VECTOR_DF : second);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), injected);
    if (injected & INTERRUPTION_ERROR_CODE)
        assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE),
                         outcome == DOUBLE_FAULT ? 0 : ERROR_CODE);
}

static void exception_in_an_exception(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 32; first++)
        for (unsigned second = 0; second < 32; second++)
            if (classes[first] != NO_EXCEPTION && classes[second] < ABORT)
                raise(exception(first), second, outcomes[classes[first]][classes[second]]);
}

/* The others are benign whatever their vector, and do not come back. */
static void exception_in_another_event(void **state)
{
    (void)state;
    static const u32 firsts[] = {
        TYPE_EXTERNAL_INTERRUPT << 8 | 0x20,
        TYPE_EXTERNAL_INTERRUPT << 8 | 0xFF,
        TYPE_EXTERNAL_INTERRUPT << 8 |
            VECTOR_PF, /* an APIC's vector may be any from 16; PIC's all */
        TYPE_NMI << 8 | VECTOR_NMI,
        TYPE_SOFTWARE_INTERRUPT << 8 | 0x80,
        TYPE_SOFTWARE_INTERRUPT << 8 | VECTOR_GP, /* INT 13 */
        TYPE_SOFTWARE_INTERRUPT << 8 | VECTOR_DF,
        TYPE_PRIVILEGED_SOFTWARE_EXCEPTION << 8 | VECTOR_DB, /* INT1 */
        TYPE_SOFTWARE_EXCEPTION << 8 | VECTOR_BP,
        TYPE_SOFTWARE_EXCEPTION << 8 | VECTOR_OF,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(firsts); i++) {
        for (unsigned second = 0; second < 32; second++) {
            if (classes[second] >= ABORT)
                continue;
            raise((u32)INTERRUPTION_VALID | firsts[i], second, BOTH_IN_TURN);
            bool nmi = (firsts[i] & INTERRUPTION_TYPE) >> 8 == TYPE_NMI;
            assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), nmi ? BLOCKING_BY_NMI : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exception_in_an_exception),
        cmocka_unit_test(exception_in_another_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
