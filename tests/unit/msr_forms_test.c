// The forms of MSR access that no emulator at hand has: an immediate, user code's, lists.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
#include "one_exit.h"

#include <string.h>

#include "x86/msr.h"

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
    assert_true(fake_get(GUEST_RFLAGS) & RFLAGS_RF); /* executed again, it hits no breakpoint */
}

#define ALLOWED 0x6000 /* the bitmap */
#define SIGN_ID_BYTES "\x8B\x00\x00\x00"
#define OTHER 0x8A /* RDMSR and WRMSR take it, the bitmap does not */
#define OTHER_BYTES "\x8A\x00\x00\x00"

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
    u64 kept;
    start_user_code(EXIT_URDMSR, CODE("\xC4\xC7\x7B\xF8\xC7" OTHER_BYTES));
    fake_msr(OTHER, VALUE);
    assert_faulted(INJECTED_GP);
    start_user_code(EXIT_UWRMSR, CODE("\xC4\xE7\x7A\xF8\xC3" OTHER_BYTES));
    fake_msr(OTHER, VALUE);
    assert_faulted(INJECTED_GP);
    assert_true(fake_msr_get(OTHER, &kept) && kept == VALUE);
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
    fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS);
    assert_resumed(); /* one at a time */
    assert_true(fake_vcpu.gpr[RCX] == BIT(63));
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), 0);
    memcpy(&stored, &fake_ram[VALUES + 5 * 8], sizeof(stored));
    assert_int_equal(stored, 77);

    start_list(EXIT_RDMSRLIST, IA32_TSC_AUX);
    fake_vcpu.gpr[RCX] = BIT(63);
    fake_msr(IA32_TSC_AUX, 78);
    assert_advanced(4); /* the last */
    assert_int_equal(fake_vcpu.gpr[RCX], 0);
    memcpy(&stored, &fake_ram[VALUES + 63 * 8], sizeof(stored));
    assert_int_equal(stored, 78);

    start_list(EXIT_RDMSRLIST, IA32_TSC_AUX); /* breakpoints on what is read and what is written */
    fake_msr(IA32_TSC_AUX, 77);
    fake_cpu.dr[0] = LIST + 5 * 8;
    fake_cpu.dr[1] = VALUES + 5 * 8;
    fake_set(GUEST_DR7, DR7_FIXED | 0xF | 0xBull << 16 | 0x9ull << 20); /* of 8 bytes */
    assert_resumed();
    assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS),
                     PENDING_DEBUG_ENABLED_BREAKPOINT | 3);

    start_list(EXIT_WRMSRLIST, IA32_TSC_AUX);
    assert_resumed();
    assert_true(fake_vcpu.gpr[RCX] == BIT(63));
    assert_true(tsc_aux() == VALUE);

    for (u32 reason = EXIT_RDMSRLIST; reason <= EXIT_WRMSRLIST; reason++) {
        u32 msr = IA32_TSC_AUX; /* bits 0 and 1 in turn */
        start_list(reason, IA32_TSC_AUX);
        fake_msr(IA32_TSC_AUX, 77);
        memcpy(&fake_ram[LIST], &msr, sizeof(msr));
        fake_vcpu.gpr[RCX] = 3;
        assert_resumed();
        assert_int_equal(fake_vcpu.gpr[RCX], 2);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msr_instructions_with_an_immediate),
        cmocka_unit_test(user_msrs),
        cmocka_unit_test(user_msrs_are_asked_for_again),
        cmocka_unit_test(lists_of_msrs),
    };
    return cmocka_run_group_tests_name("The forms of MSR access", tests, NULL, NULL);
}
