// link: tests/unit/fake_vmcs*.c tests/unit/fake_events.c
/* Control-register accesses, with few bits owned and with all. */
#include "fake_events.h"
#include "fake_vmcs.h"

#include <string.h>

#include "emulate/handlers.h"
#include "memory/guest_memory.h"

#define TO(cr, gpr) ((cr) | (u64)(gpr) << 8)
#define FROM(cr, gpr) (TO(cr, gpr) | 1 << 4)
#define CLTS (2 << 4)
#define LMSW(value) (3 << 4 | (u64)(value) << 16)

#define LONG_CR0 (CR0_PG | CR0_PE | CR0_WP | CR0_ET)

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true, false};
    return 0;
}

static void own_everything(void)
{
    fake_vcpu.controls.cr0_mask = fake_vcpu.controls.cr4_mask = ~0ull;
}

static enum exit_action cr_access(u64 qualification)
{
    fake_exit(EXIT_CR_ACCESS, qualification, 3);
    return exit_cr_access(&fake_vcpu);
}

static enum exit_action write_cr(unsigned number, u64 value)
{
    fake_events_reset();
    fake_vcpu.gpr[RBX] = value;
    return cr_access(TO(number, RBX));
}

#define ASSERT_GP(call)                                                                            \
    do {                                                                                           \
        assert_int_equal(call, EXIT_RETRY);                                                        \
        assert_int_equal(fake_event.vector, VECTOR_GP);                                            \
        assert_int_equal(fake_event.error_code, 0);                                                \
        assert_int_equal(fake_total_writes(), 0);                                                  \
    } while (0)

static void hidden_bits_stay_set(void **state)
{
    (void)state;
    assert_int_equal(write_cr(0, LONG_CR0), EXIT_ADVANCE); /* NE = 0 */
    assert_int_equal(fake_get(GUEST_CR0), LONG_CR0 | CR0_NE);
    assert_int_equal(fake_get(CR0_READ_SHADOW), LONG_CR0);
    own_everything();
    assert_int_equal(write_cr(4, CR4_PAE | CR4_PGE), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR4), CR4_PAE | CR4_PGE | CR4_VMXE);
    assert_int_equal(fake_get(CR4_READ_SHADOW), CR4_PAE | CR4_PGE);
    assert_int_equal(fake_flushes.all, 1);
}

static void reserved_combinations(void **state)
{
    (void)state;
    static const u64 bad_cr0[] = {LONG_CR0 | BIT(32), CR0_PG | CR0_ET, LONG_CR0 | CR0_NW,
                                  LONG_CR0 & ~CR0_PG};
    for (unsigned i = 0; i < ARRAY_SIZE(bad_cr0); i++)
        ASSERT_GP(write_cr(0, bad_cr0[i]));
    static const u64 bad_cr4[] = {CR4_PAE | CR4_VMXE, 0, CR4_PAE | CR4_LA57, CR4_PAE | BIT(63)};
    for (unsigned i = 0; i < ARRAY_SIZE(bad_cr4); i++)
        ASSERT_GP(write_cr(4, bad_cr4[i]));
    ASSERT_GP(write_cr(3, BIT(40)));
    ASSERT_GP(write_cr(3, CR3_NO_FLUSH));
    ASSERT_GP(write_cr(8, 16));
    fake_set(GUEST_CR3, fake_get(GUEST_CR3) | 1);
    ASSERT_GP(write_cr(4, CR4_PAE | CR4_PCIDE));
}

static void cr0_ignores_undefined_bits(void **state)
{
    (void)state;
    assert_int_equal(write_cr(0, LONG_CR0 | BIT(6) | BIT(28)), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR0), LONG_CR0 | CR0_NE);
}

static void long_mode_on_and_off(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    own_everything();
    fake_set(GUEST_IA32_EFER, EFER_LME);
    ASSERT_GP(write_cr(0, CR0_PE | CR0_PG)); /* without PAE */
    assert_int_equal(write_cr(4, CR4_PAE), EXIT_ADVANCE);
    assert_int_equal(write_cr(0, CR0_PE | CR0_PG), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_IA32_EFER), EFER_LME | EFER_LMA);
    assert_true(fake_get(VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
    assert_int_equal(fake_vcpu.controls.entry, fake_get(VM_ENTRY_CONTROLS));
    assert_int_equal(fake_flushes.all, 1);

    assert_int_equal(write_cr(0, CR0_PE), EXIT_ADVANCE); /* from compatibility mode */
    assert_int_equal(fake_get(GUEST_IA32_EFER), EFER_LME);
    assert_false(fake_get(VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);

    fake_set(GUEST_TR_ACCESS_RIGHTS, 0x83);
    ASSERT_GP(write_cr(0, CR0_PE | CR0_PG));
}

static void pae_loads_pdptes(void **state)
{
    (void)state;
    static const u64 good[4] = {0x1001, 0x2000 | BIT(50), 0x3001, 0x4001}, bad[4] = {0x1003};
    fake_guest(GUEST_32BIT);
    own_everything();
    memcpy(&fake_ram[0x5020], good, sizeof(good)); /* the second is not present */
    memcpy(&fake_ram[0x6000], bad, sizeof(bad));
    fake_set(GUEST_CR3, 0x5020);
    assert_int_equal(write_cr(4, CR4_PAE), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_PDPTE0), 0);
    assert_int_equal(write_cr(0, CR0_PE | CR0_PG), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_PDPTE3), 0x4001);
    ASSERT_GP(write_cr(3, 0x6000));
    assert_int_equal(fake_get(GUEST_CR3), 0x5020);
    fake_ram[0x5020] = 0;
    assert_int_equal(write_cr(4, CR4_PAE | CR4_PGE), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_PDPTE0), 0x1000);
}

static void cr3_and_pcids(void **state)
{
    (void)state;
    own_everything();
    assert_int_equal(write_cr(3, 0x7018), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR3), 0x7018);
    assert_int_equal(fake_flushes.non_global, 1);
    write_cr(3, 0x7000);
    assert_int_equal(write_cr(4, CR4_PAE | CR4_PCIDE), EXIT_ADVANCE);
    assert_int_equal(write_cr(3, CR3_NO_FLUSH | 0x8005), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR3), 0x8005);
    assert_int_equal(fake_flushes.non_global, 0);
    assert_int_equal(write_cr(3, 0x8005), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.non_global, 1);
    assert_int_equal(cr_access(FROM(3, RSP)), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_RSP), 0x8005);
}

/* What CR3 points at is not looked at before paging is on. */
static void pae_without_paging(void **state)
{
    (void)state;
    static const u64 bad[4] = {0x1003};
    fake_guest(GUEST_32BIT);
    own_everything();
    memcpy(&fake_ram[0x6000], bad, sizeof(bad));
    assert_int_equal(write_cr(4, CR4_PAE), EXIT_ADVANCE);
    assert_int_equal(write_cr(3, 0x6000), EXIT_ADVANCE);
    assert_int_equal(write_cr(4, CR4_PAE | CR4_PGE), EXIT_ADVANCE);
    ASSERT_GP(write_cr(0, CR0_PE | CR0_PG));
    assert_int_equal(write_cr(4, 0), EXIT_ADVANCE);
    fake_set(GUEST_IA32_EFER, EFER_SCE | EFER_NXE); /* no LME */
    assert_int_equal(write_cr(0, CR0_PE | CR0_PG), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_IA32_EFER), EFER_SCE | EFER_NXE);
    ASSERT_GP(write_cr(4, CR4_PAE));
}

static void flushes(void **state)
{
    (void)state;
    assert_int_equal(write_cr(0, LONG_CR0 | CR0_TS), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.all, 0);
    assert_int_equal(write_cr(4, CR4_PAE | CR4_OSFXSR), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.all, 0);
    assert_int_equal(write_cr(4, CR4_PAE | CR4_OSFXSR | CR4_PGE), EXIT_ADVANCE);
    assert_int_equal(fake_flushes.all, 1);
}

static void cet_needs_write_protection(void **state)
{
    (void)state;
    own_everything();
    fake_vcpu.controls.cr4_allowed |= CR4_CET;
    assert_int_equal(write_cr(4, CR4_PAE | CR4_CET), EXIT_ADVANCE);
    ASSERT_GP(write_cr(0, LONG_CR0 & ~CR0_WP));
    assert_int_equal(write_cr(4, CR4_PAE), EXIT_ADVANCE);
    assert_int_equal(write_cr(0, LONG_CR0 & ~CR0_WP), EXIT_ADVANCE);
    ASSERT_GP(write_cr(4, CR4_PAE | CR4_CET));
}

/* Outside 64-bit mode the upper halves of registers hold garbage. */
static void upper_halves(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    assert_int_equal(write_cr(0, 0xDEAD000000000000 | CR0_PE | CR0_TS), EXIT_ADVANCE);
    assert_int_equal(fake_get(CR0_READ_SHADOW), CR0_PE | CR0_TS | CR0_ET);
    fake_set(GUEST_CR3, 0x1234);
    fake_vcpu.gpr[RDI] = ~0ull;
    cr_access(FROM(3, RDI));
    assert_int_equal(fake_vcpu.gpr[RDI], 0x1234);
}

static void clts_and_lmsw(void **state)
{
    (void)state;
    fake_guest(GUEST_16BIT);
    own_everything();
    assert_int_equal(cr_access(LMSW(CR0_TS | CR0_MP | 0xFFF0)), EXIT_ADVANCE);
    assert_int_equal(fake_get(CR0_READ_SHADOW), CR0_ET | CR0_TS | CR0_MP);
    assert_int_equal(cr_access(LMSW(CR0_PE)), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR0), CR0_NE | CR0_ET | CR0_PE);
    assert_int_equal(cr_access(LMSW(CR0_TS)), EXIT_ADVANCE); /* PE stays */
    assert_int_equal(fake_get(GUEST_CR0), CR0_NE | CR0_ET | CR0_PE | CR0_TS);
    assert_int_equal(cr_access(CLTS), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_CR0), CR0_NE | CR0_ET | CR0_PE);
    assert_int_equal(fake_get(CR0_READ_SHADOW), CR0_ET | CR0_PE);
}

static void cr8(void **state)
{
    (void)state;
    assert_int_equal(write_cr(8, 9), EXIT_ADVANCE);
    assert_int_equal(fake_cpu.cr8, 9);
    assert_int_equal(cr_access(FROM(8, R15)), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[R15], 9);
}

static void cache_bits_are_real(void **state)
{
    (void)state;
    assert_int_equal(write_cr(0, LONG_CR0 | CR0_CD), EXIT_ADVANCE);
    assert_int_equal(fake_cpu.cr0, CR0_CD);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(hidden_bits_stay_set),
        TEST(reserved_combinations),
        TEST(cr0_ignores_undefined_bits),
        TEST(long_mode_on_and_off),
        TEST(pae_loads_pdptes),
        TEST(cr3_and_pcids),
        TEST(upper_halves),
        TEST(clts_and_lmsw),
        TEST(cr8),
        TEST(cache_bits_are_real),
        TEST(pae_without_paging),
        TEST(flushes),
        TEST(cet_needs_write_protection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
