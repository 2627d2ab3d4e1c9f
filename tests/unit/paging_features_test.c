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

static u32 highest_extended, widths;
static u64 activate;
static bool has_activate;
static unsigned asked; /* leaves that IA32_MISC_ENABLE[22] changes */

static struct cpuid_result fake_cpuid(u32 leaf)
{
    asked += leaf == 0 || leaf == 7;
    switch (leaf) {
    case 1: return (struct cpuid_result){.edx = CPUID_1_EDX_MTRR};
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
    asked = 0;
    highest_extended = 0x80000008;
    widths = 48 << 8 | 46;
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
}

/* With IA32_MISC_ENABLE[22], left set by the firmware or by the guest, there is no leaf 7: an alias
 * of Tally's memory must stay unmapped all the same, also when the guest writes MTRRs. */
static void hidden_leaves_do_not_matter(void **state)
{
    (void)state;
    struct mtrr_state mtrr;
    first_base = 0;
    assert_int_equal(width(), 40);
    mtrr_read(&mtrr);
    assert_false(mtrr_write(&mtrr, IA32_MTRR_PHYSBASE0, BIT(40) | CACHE_WB));
    assert_false(mtrr_write(&mtrr, IA32_MTRR_PHYSMASK0, FIRST_MASK));
    assert_true(mtrr_write(&mtrr, IA32_MTRR_PHYSBASE0, BIT(39) | CACHE_WB));
    assert_int_equal(mtrr.physical_bits, 40);
    assert_int_equal(paging_features.physical_address_width, 40);
    assert_int_equal(asked, 0);
}

static void widths_that_cpuid_does_not_tell(void **state)
{
    (void)state;
    has_activate = false;
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
        cmocka_unit_test_setup(hidden_leaves_do_not_matter, server),
        cmocka_unit_test_setup(widths_that_cpuid_does_not_tell, server),
        cmocka_unit_test_setup(mtrrs_have_no_more_address_bits, server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
