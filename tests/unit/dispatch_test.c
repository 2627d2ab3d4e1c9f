// The whole way of an exit on the host: reasons that no emulator raises, every number there is.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
#include "one_exit.h"

#include "exits/entry.h"

#include <string.h>

#include "lib/print.h"
#include "x86/msr.h"

/* ---- Reasons that no emulator at hand can raise ---- */

static void smi_cannot_happen(void **state)
{
    (void)state;
    start(EXIT_IO_SMI, 0x00710008, 0);
    assert_stopped("SMI");
    start(EXIT_OTHER_SMI | (u32)EXIT_REASON_BUS_LOCK, 0, 0);
    assert_stopped("exit 6: an SMI");
}

static void instructions_of_hidden_features_are_undefined(void **state)
{
    (void)state;
    static const u32 reasons[] = {EXIT_RSM,    EXIT_ENCLS,    EXIT_PCONFIG, EXIT_LOADIWKEY,
                                  EXIT_ENCLV,  EXIT_SEAMCALL, EXIT_TDCALL,  EXIT_GETSEC,
                                  EXIT_VMCALL, EXIT_VMFUNC};
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
            start(reasons[i], 0, 3);
            fake_guest(mode);
            assert_faulted(INJECTED_UD);
        }
    }
}

static void entry_failure_by_machine_check(void **state)
{
    (void)state;
    start(EXIT_ENTRY_FAIL_MACHINE_CHECK | (u32)EXIT_REASON_ENTRY_FAILURE, 0, 0);
    assert_stopped("exit reason 41 (ENTRY_FAIL_MACHINE_CHECK)");
    assert_non_null(strstr(fake_output, "tally: dump begin 1 exit\n"));
    assert_non_null(strstr(fake_output, "\ntally: dump end "));
}

static void entry_failures_are_dumped(void **state)
{
    (void)state;
    static const u64 entry[2] = {IA32_FS_BASE, 0x123};
    for (u64 number = 0; number <= 3; number++) {
        start(EXIT_ENTRY_FAIL_MSR_LOAD | (u32)EXIT_REASON_ENTRY_FAILURE, number, 0);
        fake_set(VM_ENTRY_MSR_LOAD_ADDR, 0x3000);
        fake_set(VM_ENTRY_MSR_LOAD_COUNT, 2);
        memcpy(&fake_ram[0x3010], entry, 16);
        assert_stopped(
            "error: VM entry failed: exit reason 34 (ENTRY_FAIL_MSR_LOAD), qualification ");
        assert_non_null(strstr(fake_output, "tally: dump begin 1 exit\n"));
        assert_int_equal(strstr(fake_output, "c0000100 123") != NULL, number == 2);
        assert_int_equal(strstr(fake_output, " l0 ") != NULL, number == 1 || number == 2);
    }
}

static void vmfail_is_dumped(void **state)
{
    (void)state;
    start(0, 0, 0);
    fake_set(VM_INSTRUCTION_ERROR, 7);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal))
        vmx_instruction_failed(RFLAGS_ZF, &fake_vcpu);
    assert_non_null(strstr(fake_output, "error: VM entry failed: VM-instruction error 7\n"));
    assert_non_null(strstr(fake_output, "tally: dump begin 1 vmfail\n"));
    assert_non_null(strstr(fake_output, "\ntally: dump end "));
    assert_non_null(strstr(fake_output, "the dump above says why"));

    void vmwrite_failed(u32 field, u64 value);
    start(0, 0, 0);
    fake_set(VM_INSTRUCTION_ERROR, 12);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal))
        vmwrite_failed(GUEST_RIP, 0x1234);
    assert_non_null(strstr(fake_output, "VMWRITE of 1234 to field 681e failed"));

    start(0, 0, 0);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal))
        vmx_instruction_failed(RFLAGS_CF, &fake_vcpu);
    assert_non_null(strstr(fake_output, "there is no current VMCS"));
}

static void user_wait_ends_at_once(void **state)
{
    (void)state;
    for (u32 reason = EXIT_UMWAIT; reason <= EXIT_TPAUSE; reason++) {
        start_code(reason, CODE("\x66\x0F\xAE\xF3")); /* EBX */
        fake_set(GUEST_RFLAGS, 0x8D7);                /* all six flags */
        fake_vcpu.gpr[RBX] = 1;
        assert_advanced(4);
        assert_int_equal(fake_get(GUEST_RFLAGS), 2);

        start_code(reason, CODE("\x66\x41\x0F\xAE\xF3")); /* R11D, a reserved bit */
        fake_vcpu.gpr[R11] = 2;
        assert_faulted(INJECTED_GP);
    }
}

static void enqcmd_without_pasid(void **state)
{
    (void)state;
    start(EXIT_ENQCMD_PASID, 0, 5);
    assert_faulted(INJECTED_GP);
    start(EXIT_ENQCMDS_PASID, 0, 5);
    assert_faulted(INJECTED_GP);
}

static void bus_lock_is_counted(void **state)
{
    (void)state;
    start(EXIT_BUS_LOCK, 0, 0);
    assert_resumed();
    /* hardware may set bit 26 beside any other reason */
    start(EXIT_CPUID | (u32)EXIT_REASON_BUS_LOCK, 0, 2);
    assert_advanced(2);
}

static void instruction_timeout(void **state)
{
    (void)state;
    start(EXIT_INSTRUCTION_TIMEOUT, 0, 0);
    assert_resumed();
    start(EXIT_INSTRUCTION_TIMEOUT, 1, 0);
    assert_stopped("lost its context");

    /* the delivery of an event was interrupted: it is delivered again */
    start(EXIT_INSTRUCTION_TIMEOUT, 0, 0);
    fake_set(IDT_VECTORING_INFO, INJECTED_GP | (u32)INTERRUPTION_NMI_UNBLOCKING);
    fake_set(IDT_VECTORING_ERROR_CODE, 0x18);
    assert_faulted(INJECTED_GP);
    assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE), 0x18);
    start(EXIT_INSTRUCTION_TIMEOUT, 0, 0);
    fake_set(IDT_VECTORING_INFO, INJECTED_GP & ~(u32)INTERRUPTION_VALID);
    assert_resumed();
}

static void counters(void **state)
{
    (void)state;
    start(EXIT_WBINVD, 0, 2);
    assert_advanced(2);
    assert_int_equal(fake_cpu.wbinvds, 1);
    start(EXIT_RDPMC, 0, 2);
    fake_cpu.pmc = 0x12389ABCDEF;
    fake_vcpu.gpr[RCX] = BIT(32) | 3;
    assert_advanced(2);
    assert_int_equal(fake_vcpu.gpr[RAX], 0x89ABCDEF);
    assert_int_equal(fake_vcpu.gpr[RDX], 0x123);
    start(EXIT_RDPMC, 0, 2);
    fake_vcpu.gpr[RCX] = 4; /* there is none */
    assert_faulted(INJECTED_GP);
    for (u32 reason = EXIT_RDTSC; reason <= EXIT_RDTSCP; reason += EXIT_RDTSCP - EXIT_RDTSC) {
        start(reason, 0, 3);
        fake_msr(IA32_TSC_AUX, BIT(32) | 5);
        fake_vcpu.gpr[RCX] = 7;
        u64 before = rdtsc();
        assert_advanced(3);
        u64 told = fake_vcpu.gpr[RDX] << 32 | fake_vcpu.gpr[RAX];
        assert_true(before < told && told < rdtsc() && fake_vcpu.gpr[RAX] <= ~0u);
        assert_int_equal(fake_vcpu.gpr[RCX], reason == EXIT_RDTSCP ? 5 : 7);
    }
}

static void undefined_numbers(void **state)
{
    (void)state;
    static const u32 numbers[] = {35, 38, 42, 71, 82, 83, 86, 100, 0x1000, 0xFFFF};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        assert_false(reason_is_defined(numbers[i]));
        start(numbers[i], 0, 3); /* an instruction, from user code maybe: not the guest's end */
        fake_guest(GUEST_64BIT_USER);
        assert_faulted(INJECTED_UD);
        start(numbers[i], 0x77, 0); /* no instruction: nobody knows how to go on */
        assert_stopped("is not defined: qualification 77");
    }
    static const struct {
        unsigned length;
        u32 delivery;
        bool instruction;
    } rows[] = {{1, 0, true}, {15, 0, true}, {16, 0, false}, {2, INJECTED_GP, false}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start(100, 0, rows[i].length);
        fake_set(IDT_VECTORING_INFO, rows[i].delivery);
        if (rows[i].instruction)
            assert_faulted(INJECTED_UD);
        else
            assert_stopped("is not defined");
    }
}

static void the_stack_pointer_is_a_register(void **state)
{
    (void)state;
    start(EXIT_CR_ACCESS, 3 | RSP << 8 | 1 << 4, 3); /* MOV RSP, CR3 */
    fake_vcpu.gpr[RSP] = 5;
    assert_advanced(3);
    assert_int_equal(fake_get(GUEST_RSP), fake_get(GUEST_CR3));
    assert_int_equal(fake_vcpu.gpr[RSP], 5);
}

/* ---- Every number ---- */

/* False for what handlers of known reasons may do: only the counting is looked at then. */
static bool must_not_advance(u32 number)
{
    return number >= EXIT_REASONS || !reason_is_defined(number);
}

static void discard(char c)
{
    (void)c;
}

/* The dump of a failed entry, 131072 times over, would take most of the test's time. */
static bool dump_is_empty;

bool vmread_safe(enum vmcs_field field, u64 *value)
{
    if (dump_is_empty || !fake_legal_encoding(field))
        return false;
    *value = fake_get(field);
    return true;
}

static void sweep_with(u32 bits, unsigned length)
{
    for (u32 number = 0; number <= EXIT_REASON_BASIC; number++) {
        fake_guest(GUEST_64BIT);
        fake_set(GUEST_RIP, FAKE_RIP);
        fake_set(GUEST_ACTIVITY_STATE, 0);
        fake_set(GUEST_INTERRUPTIBILITY, 0);
        fake_exit(number | bits, 0, length);
        u64 before = count_of(number);
        bool runs = fake_dispatch();
        if (count_of(number) != before + 1)
            fail_msg("exit reason %#x is not counted", number | bits);
        if (bits & (u32)EXIT_REASON_ENTRY_FAILURE)
            assert_false(runs);
        if (must_not_advance(number) || (bits & (u32)EXIT_REASON_ENTRY_FAILURE))
            assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    }
}

static void every_number_is_survived(void **state)
{
    (void)state;
    static const u32 bits[] = {
        0,
        (u32)EXIT_REASON_BUS_LOCK,
        (u32)EXIT_REASON_ENCLAVE,
        (u32)(EXIT_REASON_BUS_LOCK | EXIT_REASON_ENCLAVE),
        (u32)EXIT_REASON_ENTRY_FAILURE,
        (u32)(EXIT_REASON_BUS_LOCK | EXIT_REASON_ENCLAVE | EXIT_REASON_ENTRY_FAILURE)};
    for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
        fake_machine(PROFILE_ALL);
        print_sink = discard;
        dump_is_empty = true;
        sweep_with(bits[i], i & 1 ? 3 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smi_cannot_happen),
        cmocka_unit_test(instructions_of_hidden_features_are_undefined),
        cmocka_unit_test(entry_failure_by_machine_check),
        cmocka_unit_test(entry_failures_are_dumped),
        cmocka_unit_test(vmfail_is_dumped),
        cmocka_unit_test(user_wait_ends_at_once),
        cmocka_unit_test(enqcmd_without_pasid),
        cmocka_unit_test(bus_lock_is_counted),
        cmocka_unit_test(instruction_timeout),
        cmocka_unit_test(counters),
        cmocka_unit_test(undefined_numbers),
        cmocka_unit_test(the_stack_pointer_is_a_register),
        cmocka_unit_test(every_number_is_survived),
    };
    return cmocka_run_group_tests_name("The way of an exit", tests, NULL, NULL);
}
