// link: tests/unit/fake_vmcs*.c tests/unit/fake_events.c
/* XSETBV, RDRAND, RDSEED, UMWAIT, INVPCID and MOV DR. */
#include "fake_events.h"
#include "fake_vmcs.h"

#include <string.h>

#include "emulate/handlers.h"
#include "features.h"
#include "memory/guest_memory.h"

#define OPERAND 0x3000u

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true, false};
    return 0;
}

static enum exit_action xsetbv(u32 index, u64 value)
{
    fake_events_reset();
    fake_vcpu.gpr[RCX] = 0xABCD00000000 | index;
    fake_vcpu.gpr[RAX] = 0xABCD00000000 | (u32)value;
    fake_vcpu.gpr[RDX] = 0xABCD00000000 | value >> 32;
    fake_exit(EXIT_XSETBV, 0, 3);
    return exit_xsetbv(&fake_vcpu);
}

static void xsetbv_checks(void **state)
{
    (void)state;
    features_init();
    static const u64 good[] = {1, 3, 7}, bad[] = {0, 2, 5, 7 | BIT(5), 7 | XCR0_APX, BIT(63) | 1};
    xsetbv(0, 7);
    assert_int_equal(fake_event.vector, VECTOR_UD); /* CR4.OSXSAVE is off */
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_OSXSAVE);
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(xsetbv(0, good[i]), EXIT_ADVANCE);
        assert_int_equal(fake_cpu.xcr0, good[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(xsetbv(0, bad[i]), EXIT_RETRY);
        assert_int_equal(fake_event.vector, VECTOR_GP);
    }
    xsetbv(1, 7);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    fake_guest(GUEST_64BIT_USER);
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_OSXSAVE);
    xsetbv(0, 7);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_cpu.xcr0, 7);
}

static void random_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        u64 expected;
    } rows[] = {
        {"\x66\x0F\xC7\xF3", 0x111122223333DEF0},
        {"\x0F\xC7\xF3\x90", 0x9ABCDEF0},
        {"\x48\x0F\xC7\xF3", 0x123456789ABCDEF0},
    };
    fake_cpu.random = 0x123456789ABCDEF0;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        memcpy(&fake_ram[FAKE_RIP], rows[i].code, 4);
        fake_vcpu.gpr[RBX] = 0x1111222233334444;
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_OF);
        fake_exit(EXIT_RDRAND, 0, 4);
        fake_set(VM_EXIT_INSTRUCTION_INFO, RBX << 3 | 1 << 11); /* 32 bits, says Bochs 2.7 */
        assert_int_equal(exit_rdrand(&fake_vcpu), EXIT_ADVANCE);
        assert_int_equal(fake_vcpu.gpr[RBX], rows[i].expected);
        assert_int_equal(fake_get(GUEST_RFLAGS), RFLAGS_FIXED | RFLAGS_CF);
    }
    memcpy(&fake_ram[FAKE_RIP], "\x0F\xC7\xF3\x90", 4);
    fake_exit(EXIT_RDSEED | (u32)EXIT_REASON_BUS_LOCK, 0, 4);
    fake_set(VM_EXIT_INSTRUCTION_INFO, RBX << 3);
    assert_int_equal(exit_rdrand(&fake_vcpu), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[RBX], 0x11111111); /* of the other source */
    fake_cpu.random_ready = false;
    assert_int_equal(exit_rdrand(&fake_vcpu), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[RBX], 0);
    assert_int_equal(fake_get(GUEST_RFLAGS), RFLAGS_FIXED);
}

static void user_waits(void **state)
{
    (void)state;
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_SF);
    fake_exit(EXIT_UMWAIT, 0, 4);
    memcpy(&fake_ram[FAKE_RIP], "\xF2\x0F\xAE\xF3", 4); /* EBX */
    fake_vcpu.gpr[RBX] = 1;
    assert_int_equal(exit_umwait_tpause(&fake_vcpu), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_RFLAGS), RFLAGS_FIXED);
    fake_exit(EXIT_UMWAIT, 0, 5);
    memcpy(&fake_ram[FAKE_RIP], "\x67\xF2\x0F\xAE\xF3", 5);
    assert_int_equal(exit_umwait_tpause(&fake_vcpu), EXIT_ADVANCE);
    fake_vcpu.gpr[RBX] = 2;
    exit_umwait_tpause(&fake_vcpu);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    fake_events_reset();
    fake_set(GUEST_RIP, FAKE_RAM); /* the page is gone meanwhile */
    assert_int_equal(exit_umwait_tpause(&fake_vcpu), EXIT_RETRY);
    assert_int_equal(fake_event.vector, -1);
}

static enum exit_action invpcid(u64 type, u64 pcid, u64 linear)
{
    u64 descriptor[2] = {pcid, linear};
    memcpy(&fake_ram[OPERAND], descriptor, 16);
    fake_events_reset();
    fake_vcpu.gpr[R10] = type;
    fake_exit(EXIT_INVPCID, OPERAND, 6);
    fake_set(VM_EXIT_INSTRUCTION_INFO, 2 << 7 | DS << 15 | BIT(22) | BIT(27) | (u64)R10 << 28);
    return exit_invpcid(&fake_vcpu);
}

static void invpcid_types(void **state)
{
    (void)state;
    assert_int_equal(invpcid(0, 0, 0x12345000), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.page, 1);
    assert_int_equal(fake_flushes.linear, 0x12345000);
    assert_int_equal(invpcid(1, 0, 0), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.non_global, 1);
    assert_int_equal(invpcid(2, 5, BIT(63)), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.all, 1);
    assert_int_equal(invpcid(3, 0, 0), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.non_global, 1);

    static const u64 bad[][3] = {
        {4, 0, 0}, {BIT(32), 0, 0}, {2, BIT(12), 0}, {1, 5, 0}, {0, 0, BIT(63)},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(invpcid(bad[i][0], bad[i][1], bad[i][2]), EXIT_RETRY);
        assert_int_equal(fake_event.vector, VECTOR_GP);
        assert_int_equal(fake_event.error_code, 0);
    }
    assert_int_equal(invpcid(0, 0, BIT(55)), EXIT_RETRY);
    paging_features.la57 = true; /* the CPU's width counts, not the paging mode's */
    assert_int_equal(invpcid(0, 0, BIT(55)), EXIT_ADVANCE);
    assert_int_equal(invpcid(0, 0, BIT(56)), EXIT_RETRY);
    fake_exit(EXIT_INVPCID, FAKE_RAM, 6);
    fake_set(VM_EXIT_INSTRUCTION_INFO, 2 << 7 | DS << 15 | BIT(22) | BIT(27) | (u64)R10 << 28);
    assert_int_equal(exit_invpcid(&fake_vcpu), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_PF);
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_PCIDE);
    assert_int_equal(invpcid(1, 5, 0), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.non_global, 1);
    fake_guest(GUEST_32BIT);
    assert_int_equal(invpcid(BIT(32) | 2, 0, 0), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.all, 1);
    fake_guest(GUEST_64BIT_USER);
    assert_int_equal(invpcid(2, 0, 0), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_flushes.all, 0);
}

#define TO(dr, gpr) ((dr) | (u64)(gpr) << 8)
#define FROM(dr, gpr) (TO(dr, gpr) | 1 << 4)

static enum exit_action mov_dr(u64 qualification)
{
    fake_events_reset();
    fake_exit(EXIT_MOV_DR, qualification, 3);
    return exit_mov_dr(&fake_vcpu);
}

static void debug_registers(void **state)
{
    (void)state;
    fake_vcpu.gpr[RSI] = 0xFFFF800012345678;
    assert_int_equal(mov_dr(TO(2, RSI)), EXIT_ADVANCE);
    assert_int_equal(fake_cpu.dr[2], 0xFFFF800012345678);
    mov_dr(TO(7, RSI));
    assert_int_equal(fake_event.vector, VECTOR_GP);
    fake_vcpu.gpr[RSI] = BIT(32);
    mov_dr(TO(6, RSI));
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_event.error_code, 0);
    fake_vcpu.gpr[RSI] = DR6_FIXED | DR6_BS;
    assert_int_equal(mov_dr(TO(4, RSI)), EXIT_ADVANCE); /* DR6 */
    assert_int_equal(fake_cpu.dr[6], DR6_FIXED | DR6_BS);
    fake_vcpu.gpr[RSI] = BIT(32);
    assert_int_equal(mov_dr(TO(3, RSI)), EXIT_ADVANCE);
    assert_int_equal(mov_dr(FROM(3, RDI)), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[RDI], BIT(32));
    fake_vcpu.gpr[RSI] = 0xFFFFF8FF & ~DR7_GD;
    assert_int_equal(mov_dr(TO(5, RSI)), EXIT_ADVANCE); /* DR7 */
    assert_int_equal(fake_get(GUEST_DR7), 0xFFFF0CFF);
    assert_int_equal(mov_dr(FROM(7, RSP)), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_RSP), 0xFFFF0CFF);
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_DE);
    mov_dr(TO(5, RSI));
    assert_int_equal(fake_event.vector, VECTOR_UD);
    fake_guest(GUEST_32BIT);
    fake_vcpu.gpr[RSI] = 0xDEAD00000000;
    assert_int_equal(mov_dr(TO(7, RSI)), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_DR7), DR7_FIXED);
    fake_cpu.dr[1] = 0xDEAD00001234; /* set in 64-bit mode */
    assert_int_equal(mov_dr(FROM(1, RDI)), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x1234);
}

static void general_detect(void **state)
{
    (void)state;
    fake_set(GUEST_DR7, DR7_FIXED | DR7_GD);
    assert_int_equal(mov_dr(FROM(0, RAX)), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_DB);
    assert_true(fake_get(GUEST_RFLAGS) & RFLAGS_RF); /* a fault, not a trap */
    assert_int_equal(fake_get(GUEST_DR7), DR7_FIXED);
    assert_int_equal(fake_cpu.dr[6], DR6_FIXED | DR6_BD);
    fake_guest(GUEST_64BIT_USER);
    fake_set(GUEST_DR7, DR7_FIXED | DR7_GD);
    mov_dr(FROM(0, RAX));
    assert_int_equal(fake_event.vector, VECTOR_GP);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(xsetbv_checks), TEST(random_numbers),  TEST(user_waits),
        TEST(invpcid_types), TEST(debug_registers), TEST(general_detect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
