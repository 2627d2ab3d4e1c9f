// Which physical addresses are mapped on a CPU whose highest address bits choose a key of memory
// encryption.
#include "x86/instructions.h"

static struct cpuid_result fake_cpuid(u32 leaf);
#define cpuid(leaf, subleaf) fake_cpuid(leaf)
#include "memory/paging_features.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LOCKED_AND_ENABLED 3
#define KEY_BITS(count) ((u64)(count) << 32)

static u32 highest_basic, highest_extended, widths, features;
static u64 activate;
static bool has_activate;
static unsigned executed; /* CPUID instructions */

static struct cpuid_result fake_cpuid(u32 leaf)
{
    executed++;
    switch (leaf) {
    case 0: return (struct cpuid_result){.eax = highest_basic};
    case 1: return (struct cpuid_result){.edx = CPUID_1_EDX_MTRR};
    case 7: return (struct cpuid_result){.ecx = features};
    case 0x80000000: return (struct cpuid_result){.eax = highest_extended};
    case 0x80000008: return (struct cpuid_result){.eax = widths};
    default: return (struct cpuid_result){0};
    }
}

bool rdmsr_safe(u32 msr, u64 *value)
{
    assert_int_equal(msr, IA32_TME_ACTIVATE);
    *value = activate;
    return has_activate;
}

/* Two variable MTRRs of a CPU of 52 bits, as its firmware has set them. */
#define FIRST_MASK 0xFFFFF80000800ull
static u64 first_base;

u64 rdmsr(u32 msr)
{
    switch (msr) {
    case IA32_MTRRCAP: return 2;
    case IA32_MTRR_PHYSBASE0: return first_base;
    case IA32_MTRR_PHYSMASK0: return FIRST_MASK;
    default: return 0;
    }
}

u64 vmread(enum vmcs_field field)
{
    (void)field;
    return 0;
}

/* A server of 46 address bits, of which 6 may be keys. */
static int server(void **state)
{
    (void)state;
    highest_basic = 0x20;
    highest_extended = 0x80000008;
    widths = 48 << 8 | 46;
    features = CPUID_7_ECX_TME;
    activate = KEY_BITS(6) | LOCKED_AND_ENABLED;
    has_activate = true;
    return 0;
}

static unsigned width(void)
{
    paging_features_read();
    return paging_features.physical_address_width;
}

static void key_bits_are_no_address(void **state)
{
    (void)state;
    assert_int_equal(width(), 40);
    activate = KEY_BITS(6) | 1; /* locked, not enabled */
    assert_int_equal(width(), 46);
    activate = LOCKED_AND_ENABLED; /* one key for all memory */
    assert_int_equal(width(), 46);
    server(state);
    has_activate = false;
    assert_int_equal(width(), 46);
    server(state);
    features = 0;
    assert_int_equal(width(), 46);
}

/* With IA32_MISC_ENABLE[22] the guest makes leaf 7 vanish: an alias of Tally's memory must stay
 * unmapped. */
static void the_guest_cannot_hide_them_later(void **state)
{
    (void)state;
    assert_int_equal(width(), 40);
    executed = 0;
    highest_basic = 2;
    assert_int_equal(paging_features.physical_address_width, 40);
    assert_int_equal(executed, 0);
}

static void widths_that_cpuid_does_not_tell(void **state)
{
    (void)state;
    features = 0;
    widths = 57 << 8 | 52; /* more than four levels of EPT translate */
    assert_int_equal(width(), EPT_ADDRESS_BITS);
    highest_extended = 0x80000001;
    assert_int_equal(width(), 36);
    assert_false(paging_features.la57);
}

/* A firmware under Tally writes what it reads on one CPU to all others. */
static void mtrrs_have_no_more_address_bits(void **state)
{
    (void)state;
    struct mtrr_state mtrr;
    first_base = 0xF000000000 | CACHE_WB;
    assert_int_equal(width(), 40);
    mtrr_read(&mtrr);
    assert_true(mtrr.variable[0].base == first_base);
    assert_true(mtrr.variable[0].mask == (FIRST_MASK & (BIT(40) - 1)));
    assert_true(mtrr_write(&mtrr, IA32_MTRR_PHYSMASK0, mtrr.variable[0].mask));

    first_base |= BIT(50); /* where the guest has no addresses: no range of its own */
    mtrr_read(&mtrr);
    assert_true(mtrr.variable[0].mask == 0);
    assert_true(mtrr_write(&mtrr, IA32_MTRR_PHYSBASE0, mtrr.variable[0].base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(key_bits_are_no_address, server),
        cmocka_unit_test_setup(the_guest_cannot_hide_them_later, server),
        cmocka_unit_test_setup(widths_that_cpuid_does_not_tell, server),
        cmocka_unit_test_setup(mtrrs_have_no_more_address_bits, server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
