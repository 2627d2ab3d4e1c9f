// The whole way of an exit on the host: reasons that no emulator raises, every number there is.
// link: hv/vmx/breakpoints.c
// link: hv/exits/apic.c hv/exits/control_registers.c hv/exits/cpuid.c hv/exits/debug_registers.c
// link: hv/exits/descriptor_tables.c hv/exits/dispatch.c hv/exits/entry_failure.c hv/exits/events.c
// link: hv/exits/hlt.c hv/exits/instructions.c hv/exits/invpcid.c hv/exits/io.c hv/exits/memory.c
// link: hv/exits/msr*.c hv/exits/random.c hv/exits/string_io.c hv/exits/task_segments.c
// link: hv/exits/task_state.c hv/exits/task_switch.c hv/exits/xsetbv.c hv/vmx/break_rules.c
// link: hv/vmx/capabilities.c hv/vmx/controls.c hv/vmx/dump.c hv/vmx/entry_checks*.c
// link: hv/vmx/events.c hv/vmx/guest_memory.c hv/vmx/guest_paging.c hv/vmx/prefixes.c
// link: hv/vmx/segments.c hv/vmx/startup.c hv/vmx/vcpu.c hv/vmx/vmcs.c hv/stats/counters.c
// link: hv/platform/a20.c hv/stats/leaves.c hv/stats/timeline.c hv/lib/print.c tests/unit/fake_machine.c
// link: tests/unit/fake_vmcs*.c
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/print.h"
#include "vmx/dump.h"
#include "vmx/entry_checks.h"
#include "x86/msr.h"

#define INJECTED(type, vector) ((u32)INTERRUPTION_VALID | (type) << 8 | (vector))
#define INJECTED_UD INJECTED(3, VECTOR_UD)
#define INJECTED_PF (INJECTED(3, VECTOR_PF) | (u32)INTERRUPTION_ERROR_CODE)
#define INJECTED_GP (INJECTED(3, VECTOR_GP) | (u32)INTERRUPTION_ERROR_CODE)

static void start(u32 word, u64 qualification, unsigned length)
{
    fake_machine(PROFILE_ALL);
    fake_exit(word, qualification, length);
}

static u64 count_of(u32 reason)
{
    return fake_vcpu.stats.reason[reason < EXIT_REASONS ? reason : EXIT_REASONS].count;
}

static void rule_is_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("reason %#x leaves a state that cannot be entered: %s: %s is %#llx",
             fake_vcpu.exit_reason, sentence, vmcs_field_name(field), (unsigned long long)value);
}

static void assert_can_enter(void)
{
    entry_checks(&fake_capabilities, rule_is_broken);
}

/* For tests/gate/reasons.t: the reason's own handling is checked here. */
static void note_reason(void)
{
    const char *directory = getenv("REASONS");
    char path[4096];
    if (!directory)
        return;
    snprintf(path, sizeof(path), "%s/host", directory);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fprintf(file, "%u\n", fake_vcpu.exit_reason & (u32)EXIT_REASON_BASIC);
    fclose(file);
}

/* The instruction faulted: RIP stays, the exception is injected. */
static void assert_faulted(u32 injected)
{
    assert_true(fake_dispatch());
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), injected);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    assert_can_enter();
}

static void assert_advanced(unsigned length)
{
    assert_true(fake_dispatch());
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP + length);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), 0);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    assert_can_enter();
}

static void assert_resumed(void)
{
    assert_advanced(0);
}

static void assert_stopped(const char *said)
{
    assert_false(fake_dispatch());
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    if (!strstr(fake_output, said))
        fail_msg("nothing is said of '%s' but: %s", said, fake_output);
}

/* ---- Reasons that no emulator at hand can raise ---- */

static void smi_cannot_happen(void **state)
{
    (void)state;
    start(EXIT_IO_SMI, 0x00710008, 0);
    assert_stopped("SMI");
    start(EXIT_OTHER_SMI, 0, 0);
    assert_stopped("SMI");
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
    assert_non_null(strstr(fake_output, "no rule is broken"));
    assert_non_null(strstr(fake_output, "GUEST_RIP"));
}

static void entry_failures_name_the_rule(void **state)
{
    (void)state;
    start(EXIT_ENTRY_FAIL_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE, 4, 0);
    fake_set(VMCS_LINK_POINTER, 0x1000);
    assert_stopped("exit reason 33 (ENTRY_FAIL_GUEST_STATE), qualification 4: the VMCS link");
    assert_non_null(strstr(fake_output, "broken rule: without VMCS shadowing the link pointer must "
                                        "be all ones: VMCS_LINK_POINTER is 1000\n"));
    start(EXIT_ENTRY_FAIL_MSR_LOAD | (u32)EXIT_REASON_ENTRY_FAILURE, 2, 0);
    assert_stopped("exit reason 34 (ENTRY_FAIL_MSR_LOAD), qualification 2: the number");

    static const struct {
        u64 entry[2];
        const char *said;
    } entries[] = {
        {{IA32_FS_BASE, 0},
         "the bases of FS and GS cannot be loaded from a list: MSR c0000100 is 0"},
        {{0x100000277, 6}, "bits 63:32 of an entry's first half must be 0: MSR 100000277 is 6"},
        {{X2APIC_EOI, 0}, "registers of the local APIC cannot be loaded: MSR 80b is 0"},
        {{IA32_SMBASE, 0}, "the MSRs of SMM cannot be loaded outside it: MSR 9e is 0"},
        {{IA32_PAT, 2}, "the value must be one that WRMSR would take: MSR 277 is 2"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        start(EXIT_ENTRY_FAIL_MSR_LOAD | (u32)EXIT_REASON_ENTRY_FAILURE, 2, 0);
        fake_set(VM_ENTRY_MSR_LOAD_ADDR, 0x3000);
        fake_set(VM_ENTRY_MSR_LOAD_COUNT, 2);
        memcpy(&fake_ram[0x3010], entries[i].entry, 16);
        assert_stopped(entries[i].said);
    }
}

static void vmfail_is_explained(void **state)
{
    (void)state;
    void vmx_instruction_failed(u64 flags, struct vcpu * vcpu);
    start(0, 0, 0);
    fake_set(VM_INSTRUCTION_ERROR, 7);
    fake_set(CR3_TARGET_COUNT, 300);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal))
        vmx_instruction_failed(RFLAGS_ZF, &fake_vcpu);
    assert_non_null(strstr(fake_output, "CR3_TARGET_COUNT is 12c"));
    assert_non_null(strstr(fake_output, "error 7: VM entry with invalid control field(s)"));

    start(0, 0, 0);
    fake_fatal_expected = true;
    if (!setjmp(fake_fatal))
        vmx_instruction_failed(RFLAGS_CF, &fake_vcpu);
    assert_non_null(strstr(fake_output, "there is no current VMCS"));
}

/* An exit of the instruction with these bytes. */
static void start_code(u32 reason, const char *code, unsigned length)
{
    start(reason, 0, length);
    memcpy(&fake_ram[FAKE_RIP], code, length);
}

#define CODE(bytes) bytes, sizeof(bytes) - 1

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
}

#define TSC_AUX_BYTES "\x03\x01\x00\xC0" /* IA32_TSC_AUX */
#define VALUE 0x123456789ABCDEF0

static u64 tsc_aux(void)
{
    u64 value = 0;
    assert_true(fake_msr_get(IA32_TSC_AUX, &value));
    return value;
}

static void msr_instructions_with_an_immediate(void **state)
{
    (void)state;
    start_code(EXIT_RDMSR_IMMEDIATE, CODE("\xC4\xC7\x7B\xF6\xC1" TSC_AUX_BYTES));
    fake_msr(IA32_TSC_AUX, VALUE);
    assert_advanced(9);
    assert_true(fake_vcpu.gpr[R9] == VALUE);

    /* EVEX, and a prefix that changes nothing */
    start_code(EXIT_RDMSR_IMMEDIATE, CODE("\x2E\x62\xF7\x7F\x08\xF6\xC3" TSC_AUX_BYTES));
    fake_msr(IA32_TSC_AUX, VALUE);
    assert_advanced(11);
    assert_true(fake_vcpu.gpr[RBX] == VALUE);

    start_code(EXIT_WRMSRNS_IMMEDIATE, CODE("\xC4\xE7\x7A\xF6\xC4" TSC_AUX_BYTES));
    assert_advanced(9);
    assert_true(tsc_aux() == FAKE_RSP);

    start_code(EXIT_WRMSRNS_IMMEDIATE, CODE("\x0F\x01\xC6")); /* by registers */
    fake_vcpu.gpr[RCX] = IA32_TSC_AUX;
    fake_vcpu.gpr[RDX] = 0xAAAAAAAA00000001;
    fake_vcpu.gpr[RAX] = 0xBBBBBBBB00000002;
    assert_advanced(3);
    assert_true(tsc_aux() == 0x100000002);

    start_code(EXIT_RDMSR_IMMEDIATE, CODE("\xC4\xE7\x7B\xF6\xC0\x80\x04\x00\x00"));
    assert_faulted(INJECTED_GP); /* IA32_VMX_BASIC */
    start_code(EXIT_WRMSRNS_IMMEDIATE, CODE("\xC4\xE7\x7A\xF6\xC0\x45\x23\x01\x00"));
    assert_faulted(INJECTED_GP);

    start_code(EXIT_RDMSR_IMMEDIATE, CODE("\xC4\xE7\x7B\xF6\xC0" TSC_AUX_BYTES));
    fake_set(GUEST_RIP, FAKE_RAM); /* the page is gone meanwhile */
    assert_true(fake_dispatch());
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RAM);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), 0);
}

#define ALLOWED 0x6000 /* the bitmap */
#define SIGN_ID_BYTES "\x8B\x00\x00\x00"

static void start_user_code(u32 reason, const char *code, size_t length)
{
    start_code(reason, code, length);
    memset(&fake_ram[ALLOWED], 0, PAGE_SIZE);
    fake_ram[ALLOWED + IA32_BIOS_SIGN_ID / 8] |= 1 << IA32_BIOS_SIGN_ID % 8;
    fake_ram[ALLOWED + 2048 + IA32_BIOS_SIGN_ID / 8] |= 1 << IA32_BIOS_SIGN_ID % 8;
    fake_ram[ALLOWED + IA32_VMX_BASIC / 8] |= 1 << IA32_VMX_BASIC % 8;
    fake_msr(IA32_USER_MSR_CTL, ALLOWED | 1);
    fake_msr(IA32_BIOS_SIGN_ID, VALUE);
    fake_msr(IA32_TSC_AUX, VALUE);
}

static void user_msrs(void **state)
{
    (void)state;
    start_user_code(EXIT_URDMSR, CODE("\xC4\xC7\x7B\xF8\xC7" SIGN_ID_BYTES));
    assert_advanced(9);
    assert_true(fake_vcpu.gpr[R15] == VALUE);

    start_user_code(EXIT_URDMSR, CODE("\xF2\x44\x0F\x38\xF8\xD1")); /* RCX, R10 */
    fake_guest(GUEST_64BIT_USER);
    fake_vcpu.gpr[R10] = IA32_BIOS_SIGN_ID;
    assert_advanced(6);
    assert_true(fake_vcpu.gpr[RCX] == VALUE);

    u64 written;
    start_user_code(EXIT_UWRMSR, CODE("\xC4\xE7\x7A\xF8\xC3" SIGN_ID_BYTES));
    fake_vcpu.gpr[RBX] = 5;
    assert_advanced(9);
    assert_true(fake_msr_get(IA32_BIOS_SIGN_ID, &written) && written == 5);

    start_user_code(EXIT_UWRMSR, CODE("\xF3\x0F\x38\xF8\xC8")); /* RCX, RAX */
    fake_vcpu.gpr[RCX] = IA32_VMX_BASIC;
    assert_faulted(INJECTED_GP);
    start_user_code(EXIT_URDMSR, CODE("\xF2\x0F\x38\xF8\xC8"));
    fake_vcpu.gpr[RCX] = IA32_VMX_BASIC;
    assert_faulted(INJECTED_GP);
}

/* Another CPU has put another number there since the bitmap was asked. */
static void user_msrs_are_asked_for_again(void **state)
{
    (void)state;
    start_user_code(EXIT_URDMSR, CODE("\xC4\xC7\x7B\xF8\xC7\x8C\x00\x00\x00"));
    fake_msr(0x8C, VALUE);
    assert_faulted(INJECTED_GP);
    start_user_code(EXIT_UWRMSR, CODE("\xC4\xE7\x7A\xF8\xC3" TSC_AUX_BYTES));
    assert_faulted(INJECTED_GP);
    assert_true(tsc_aux() == VALUE);
}

#define LIST 0x3000
#define VALUES 0x4000

static void start_list(u32 reason, u64 msr)
{
    static const u64 value = VALUE;
    start(reason, 0, 4);
    fake_vcpu.gpr[RSI] = LIST;
    fake_vcpu.gpr[RDI] = VALUES;
    fake_vcpu.gpr[RCX] = BIT(5) | BIT(63);
    memcpy(&fake_ram[LIST + 5 * 8], &msr, sizeof(msr));
    memcpy(&fake_ram[LIST + 63 * 8], &msr, sizeof(msr));
    memcpy(&fake_ram[VALUES + 5 * 8], &value, sizeof(value));
}

static void lists_of_msrs(void **state)
{
    (void)state;
    u64 stored;
    start_list(EXIT_RDMSRLIST, IA32_TSC_AUX);
    fake_msr(IA32_TSC_AUX, 77);
    assert_resumed(); /* one at a time */
    assert_true(fake_vcpu.gpr[RCX] == BIT(63));
    memcpy(&stored, &fake_ram[VALUES + 5 * 8], sizeof(stored));
    assert_int_equal(stored, 77);

    start_list(EXIT_RDMSRLIST, IA32_TSC_AUX);
    fake_vcpu.gpr[RCX] = BIT(63);
    fake_msr(IA32_TSC_AUX, 78);
    assert_advanced(4); /* the last */
    assert_int_equal(fake_vcpu.gpr[RCX], 0);
    memcpy(&stored, &fake_ram[VALUES + 63 * 8], sizeof(stored));
    assert_int_equal(stored, 78);

    start_list(EXIT_WRMSRLIST, IA32_TSC_AUX);
    assert_resumed();
    assert_true(fake_vcpu.gpr[RCX] == BIT(63));
    assert_true(tsc_aux() == VALUE);

    for (u32 reason = EXIT_RDMSRLIST; reason <= EXIT_WRMSRLIST; reason++) {
        start_list(reason, IA32_VMX_BASIC);
        assert_faulted(INJECTED_GP);
        assert_true(fake_vcpu.gpr[RCX] == (BIT(5) | BIT(63)));
        start_list(reason, IA32_TSC_AUX | BIT(32)); /* reserved */
        fake_msr(IA32_TSC_AUX, 77);
        assert_faulted(INJECTED_GP);
        start_list(reason, IA32_TSC_AUX);
        fake_msr(IA32_TSC_AUX, 77);
        fake_vcpu.gpr[RSI] = FAKE_RAM;
        assert_faulted(INJECTED_PF);
        start_list(reason, IA32_TSC_AUX);
        fake_msr(IA32_TSC_AUX, 77);
        fake_vcpu.gpr[RDI] = FAKE_RAM;
        assert_faulted(INJECTED_PF);
        assert_true(tsc_aux() == 77);
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
    *value = fake_get(field);
    return !dump_is_empty;
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
        cmocka_unit_test(entry_failures_name_the_rule),
        cmocka_unit_test(vmfail_is_explained),
        cmocka_unit_test(user_wait_ends_at_once),
        cmocka_unit_test(enqcmd_without_pasid),
        cmocka_unit_test(bus_lock_is_counted),
        cmocka_unit_test(instruction_timeout),
        cmocka_unit_test(msr_instructions_with_an_immediate),
        cmocka_unit_test(user_msrs),
        cmocka_unit_test(user_msrs_are_asked_for_again),
        cmocka_unit_test(lists_of_msrs),
        cmocka_unit_test(undefined_numbers),
        cmocka_unit_test(every_number_is_survived),
    };
    return cmocka_run_group_tests_name("The way of an exit", tests, NULL, NULL);
}
