// The software walk of the guest's page tables, mode by mode and right by right.
// link: tests/unit/guest_tables.c tests/unit/fake_vmcs*.c tests/unit/fake_events.c
#include "guest_tables.h"

#include <string.h>

#include "x86/registers.h"

static u64 physical; /* where translate() came to */

static bool translate(u64 linear, enum access access, unsigned cpl)
{
    physical = 0;
    return guest_translate(linear, access, cpl, &physical, &fault);
}

static void assert_page_fault(u64 linear, enum access access, unsigned cpl, u32 error_code)
{
    assert_false(translate(linear, access, cpl));
    assert_int_equal(fault.vector, VECTOR_PF);
    assert_int_equal(fault.error_code, error_code);
    assert_int_equal(fault.address, linear);
}

static void add_cr4(u64 bits)
{
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | bits);
}

static void paging_off(void **state)
{
    (void)state;
    fake_guest(GUEST_16BIT);
    assert_true(translate(0x12345, ACCESS_WRITE, 0));
    assert_int_equal(physical, 0x12345);
}

static void walks_four_levels(void **state)
{
    (void)state;
    four_levels(P | W | U, P | W | U);
    assert_true(translate(LINEAR, ACCESS_READ, 3));
    assert_int_equal(physical, DATA + 0x123);
    assert_int_equal(entry(0, 0), TABLE(1) | P | W | U | A);
    assert_int_equal(entry(3, 1), DATA | P | W | U | A);
    assert_true(translate(LINEAR, ACCESS_WRITE, 3));
    assert_int_equal(entry(3, 1), DATA | P | W | U | A | D);
    assert_int_equal(entry(2, 1), TABLE(3) | P | W | U | A);
}

static u64 restless; /* another CPU changes the entry here whenever it is looked at */

void *guest_ram(u64 address, size_t size);
void *guest_ram(u64 address, size_t size)
{
    if (restless && address == restless)
        *(u64 *)&fake_ram[address] += BIT(52); /* a bit that software may use */
    return size <= FAKE_RAM && address <= FAKE_RAM - size ? &fake_ram[address] : NULL;
}

static void ends_although_an_entry_never_rests(void **state)
{
    (void)state;
    four_levels(P | W | U, P | W | U);
    restless = TABLE(3) + 8;
    assert_true(translate(LINEAR, ACCESS_WRITE, 3));
    assert_int_equal(physical, DATA + 0x123);
    restless = 0;
    assert_true(translate(LINEAR, ACCESS_WRITE, 3));
    assert_int_equal(entry(3, 1) & 0xFFF, P | W | U | A | D);
}

static void walks_five_levels(void **state)
{
    (void)state;
    four_levels(P | W, P | W);
    add_cr4(CR4_LA57);
    fake_set(GUEST_CR3, TABLE(4));
    set_entry(4, 3, TABLE(0) | P | W);
    assert_true(translate(3ull << 48 | LINEAR, ACCESS_READ, 0));
    assert_int_equal(physical, DATA + 0x123);
    assert_false(translate(1ull << 56, ACCESS_READ, 0));
    assert_int_equal(fault.vector, VECTOR_GP);
}

static void large_pages(void **state)
{
    (void)state;
    four_levels(P | W, P);
    set_entry(2, 1, 0x0000004000000000 | LARGE | BIT(12) | P);
    assert_true(translate(LINEAR, ACCESS_READ, 0));
    assert_int_equal(physical, 0x4000001123);
    assert_true(translate(LINEAR - 0x1000, ACCESS_READ, 0)); /* bit 12 is no address bit */
    assert_int_equal(physical, 0x4000000123);
    set_entry(1, 1, 0x80000000 | LARGE | P);
    assert_true(translate(LINEAR, ACCESS_READ, 0));
    assert_int_equal(physical, 0x80201123);
    paging_features.pages_1g = false;
    assert_page_fault(LINEAR, ACCESS_READ, 0, 9);
}

static void reserved_bits(void **state)
{
    (void)state;
    static const struct {
        unsigned table, index;
        u64 bit;
        bool no_nxe;
    } rows[] = {
        {0, 0, LARGE, false}, {0, 0, BIT(40), false},         {3, 1, BIT(51), false},
        {3, 1, NX, true},     {2, 1, LARGE | BIT(13), false}, {1, 1, LARGE | BIT(29), false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        four_levels(P | W, P | W);
        if (rows[i].no_nxe)
            fake_set(GUEST_IA32_EFER, EFER_LME | EFER_LMA);
        set_entry(rows[i].table, rows[i].index, entry(rows[i].table, rows[i].index) | rows[i].bit);
        assert_page_fault(LINEAR, ACCESS_READ, 0, 9);
    }
    four_levels(P | W, P | W);
    set_entry(2, 1, 0x80000000 | P | W); /* no RAM: ones */
    assert_page_fault(LINEAR, ACCESS_READ, 0, 9);
    four_levels(P | W, P | W | BIT(62) | BIT(52)); /* ignored */
    assert_true(translate(LINEAR, ACCESS_READ, 0));
}

static void rights(void **state)
{
    (void)state;
    static const struct {
        u64 upper, leaf, cr4;
        enum access access;
        unsigned cpl;
        int error_code; /* -1: allowed */
    } rows[] = {
        {0, P, 0, ACCESS_READ, 0, 0},
        {0, P, 0, ACCESS_WRITE, 3, 6},
        {P, P, 0, ACCESS_READ, 0, -1},
        {P | W, P | W | U, 0, ACCESS_READ, 3, 5},
        {P | U, P | W | U, 0, ACCESS_WRITE, 3, 7},
        {P | W, P, 0, ACCESS_WRITE, 0, 3}, /* WP */
        {P | W | U, P | W | U, 0, ACCESS_WRITE, 3, -1},
        {P | W | U, P | W | U | NX, 0, ACCESS_FETCH, 3, 0x15},
        {P | W | U | NX, P | W | U, 0, ACCESS_FETCH, 0, 0x11},
        {P | W | U, P | W | U, CR4_SMEP, ACCESS_FETCH, 0, 0x11},
        {P | W | U, P | W | U, CR4_SMEP, ACCESS_FETCH, 3, -1},
        {P | W | U, P | W | U, CR4_SMAP, ACCESS_READ, 0, 1},
        {P | W | U, P | W | U, CR4_SMAP, ACCESS_READ, 3, -1},
        {P | W | U, P | W | U, CR4_SMAP, ACCESS_WRITE, IMPLICIT_SUPERVISOR, 3},
        {P | W, P | W | U, CR4_SMAP, ACCESS_WRITE, 0, -1},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        four_levels(rows[i].upper, rows[i].leaf);
        add_cr4(rows[i].cr4);
        if (rows[i].error_code < 0)
            assert_true(translate(LINEAR, rows[i].access, rows[i].cpl));
        else
            assert_page_fault(LINEAR, rows[i].access, rows[i].cpl, (u32)rows[i].error_code);
    }
}

static void write_protect_off(void **state)
{
    (void)state;
    four_levels(P, P);
    fake_set(GUEST_CR0, fake_get(GUEST_CR0) & ~CR0_WP);
    assert_true(translate(LINEAR, ACCESS_WRITE, 0));
    assert_int_equal(entry(3, 1), DATA | P | A | D);
}

static void alignment_check_opens_smap(void **state)
{
    (void)state;
    four_levels(P | W | U, P | W | U);
    add_cr4(CR4_SMAP);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_AC);
    assert_true(translate(LINEAR, ACCESS_READ, 0));
    assert_page_fault(LINEAR, ACCESS_READ, IMPLICIT_SUPERVISOR, 1);
}

static void protection_keys(void **state)
{
    (void)state;
    four_levels(P | W | U, P | W | U | 5ull << 59);
    add_cr4(CR4_PKE);
    fake_cpu.pkru = 2u << 10; /* no writes with key 5 */
    assert_true(translate(LINEAR, ACCESS_READ, 3));
    assert_page_fault(LINEAR, ACCESS_WRITE, 3, 0x27);
    assert_page_fault(LINEAR, ACCESS_WRITE, 0, 0x23);
    fake_cpu.pkru = 1u << 10;
    assert_page_fault(LINEAR, ACCESS_READ, 0, 0x21);
    assert_true(translate(LINEAR, ACCESS_FETCH, 3));
}

static void walks_32bit(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_CR0, fake_get(GUEST_CR0) | CR0_PG | CR0_WP);
    fake_set(GUEST_CR3, TABLE(0));
    set_entry32(0, 1, TABLE(1) | P | W | U | LARGE); /* without PSE the bit is ignored */
    set_entry32(1, 2, DATA | P | U);
    assert_true(translate(0x402345, ACCESS_READ, 3));
    assert_int_equal(physical, DATA + 0x345);
    assert_page_fault(0x402345, ACCESS_WRITE, 3, 7);
    assert_page_fault(0x403000, ACCESS_FETCH, 3, 4); /* no I bit without NX and SMEP */

    set_entry32(0, 1, 0x80000000 | P | W | U); /* no RAM: ones */
    assert_true(translate(0x402345, ACCESS_WRITE, 3));
    assert_int_equal(physical, 0xFFFFF345);

    add_cr4(CR4_PSE);
    set_entry32(0, 1, 0xC0000000 | 0xFE000 | LARGE | P); /* PSE-36: bits 39:32 */
    assert_true(translate(0x402345, ACCESS_READ, 0));
    assert_int_equal(physical, 0x7FC0002345);
    set_entry32(0, 1, 0xC0000000 | BIT(20) | LARGE | P);
    assert_true(translate(0x402345, ACCESS_READ, 0));
    assert_int_equal(physical, 0x80C0002345);
    set_entry32(0, 1, 0xC0000000 | BIT(21) | LARGE | P);
    assert_page_fault(0x402345, ACCESS_READ, 0, 9);
    paging_features.physical_address_width = 36;
    set_entry32(0, 1, 0xC0000000 | BIT(17) | LARGE | P);
    assert_page_fault(0x402345, ACCESS_READ, 0, 9);
}

static void walks_pae(void **state)
{
    (void)state;
    static const u64 pdpt[4] = {0, TABLE(1) | P, 0, 0};
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_CR0, fake_get(GUEST_CR0) | CR0_PG);
    add_cr4(CR4_PAE);
    memcpy(&fake_ram[TABLE(0)], pdpt, sizeof(pdpt));
    assert_true(guest_load_pdptes(TABLE(0)));
    set_entry(1, 1, TABLE(2) | P | W | U);
    set_entry(2, 1, DATA | P | W | U);
    assert_true(translate(LINEAR, ACCESS_WRITE, 3));
    assert_int_equal(physical, DATA + 0x123);
    static const u64 somebodys = TABLE(2) | P; /* not by way of the missing PDPTE */
    memcpy(&fake_ram[0], &somebodys, sizeof(somebodys));
    assert_page_fault(0x1000, ACCESS_READ, 0, 0);
    fake_set(GUEST_IA32_EFER, EFER_NXE);
    add_cr4(CR4_PKE); /* keys are for IA-32e mode */
    fake_cpu.pkru = ~0u;
    assert_true(translate(LINEAR, ACCESS_WRITE, 3));
    set_entry(2, 1, DATA | P | BIT(52));
    assert_page_fault(LINEAR, ACCESS_READ, 0, 9);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(paging_off),
        TEST(walks_four_levels),
        TEST(ends_although_an_entry_never_rests),
        TEST(walks_five_levels),
        TEST(large_pages),
        TEST(reserved_bits),
        TEST(rights),
        TEST(write_protect_off),
        TEST(alignment_check_opens_smap),
        TEST(protection_keys),
        TEST(walks_32bit),
        TEST(walks_pae),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
