// ACPI's tables as firmware has them: XSDT alone, fields in their wide form alone, CPUs of both
// kinds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "host/paging.h"
#include "platform/acpi.h"
#include "x86/instructions.h"

#define XSDT 0x1000u
#define FADT 0x2000u
#define DSDT 0x3000u
#define MADT 0x4000u
#define END 0x5000u

static u8 memory[END];
static u8 rsdp[36];

void *physical(u64 address)
{
    return address < END ? memory + address : NULL;
}

bool sums_to_zero(const void *bytes, size_t size)
{
    u8 sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (u8)(sum + ((const u8 *)bytes)[i]);
    return sum == 0;
}

static u32 chipset[256 / 4], asked; /* the configuration of one function */

void outl(u16 port, u32 value)
{
    assert_int_equal(port, 0xCF8);
    asked = value;
}

u32 inl(u16 port)
{
    assert_int_equal(port, 0xCFC);
    return (asked & ~0xFFu) == 0x80000B00 ? chipset[(asked & 0xFF) / 4] : 0xFFFFFFFF;
}

static void put(u32 address, u64 value, unsigned size)
{
    memcpy(&memory[address], &value, size);
}

static void put_table(u32 address, const char *signature, u32 length)
{
    memcpy(&memory[address], signature, 4);
    put(address + 4, length, 4);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(rsdp, 0, sizeof(rsdp));
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    rsdp[25] = XSDT >> 8;
    for (unsigned i = 0; i < 20; i++)
        if (i != 8)
            rsdp[8] -= rsdp[i];
    put_table(XSDT, "XSDT", 36 + 3 * 8);
    put(XSDT + 36, 0x100000000, 8); /* out of reach: passed over */
    put(XSDT + 44, FADT, 8);
    put(XSDT + 52, MADT, 8);
    put_table(FADT, "FACP", 268);
    put_table(DSDT, "DSDT", 64);
    memcpy(&memory[DSDT + 40], "_S5_\x12\x06\x04\x0A\x07\x0A\x05\x00\x00", 13);
    return 0;
}

static void the_old_fields_count(void **state)
{
    (void)state;
    put(FADT + 40, DSDT, 4);
    put(FADT + 64, 0x1804, 4);
    put(FADT + 172, 1, 1);
    put(FADT + 176, 0x404, 8);
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0x1804);
    assert_int_equal(acpi_power.pm1b_control, 0);
    assert_true(acpi_power.s5_known);
    assert_int_equal(acpi_power.s5_type_a, 7);
    assert_int_equal(acpi_power.s5_type_b, 5);
}

static void the_wide_fields_serve_alone(void **state)
{
    (void)state;
    put(FADT + 140, DSDT, 8);
    put(FADT + 172, 1, 1);
    put(FADT + 176, 0x404, 8);
    put(FADT + 184, 0, 1); /* in memory: not a port */
    put(FADT + 188, 0x504, 8);
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0x404);
    assert_int_equal(acpi_power.pm1b_control, 0);
    assert_true(acpi_power.s5_known);

    put(FADT + 4, 132, 4); /* of ACPI 1.0, which ends before them */
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0);
}

/* The register has one byte, whose bits are those of the upper one of PM1a's. */
static void hardware_reduced_acpi_has_a_sleep_register(void **state)
{
    (void)state;
    put(FADT + 64, 0x1804, 4);
    put(FADT + 244, 1, 1);
    put(FADT + 248, 0x405, 8);
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0x1804);
    put(FADT + 112, 1 << 20, 4);
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0x404);
    put(FADT + 244, 0, 1); /* in memory */
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0x1804);
}

static void the_reset_register(void **state)
{
    (void)state;
    put(FADT + 112, 1 << 10, 4);
    put(FADT + 116, 1, 1);
    put(FADT + 120, 0xCF9, 8);
    put(FADT + 128, 6, 1);
    acpi_init(rsdp);
    assert_int_equal(acpi_power.reset_port, 0xCF9);
    assert_int_equal(acpi_power.reset_value, 6);
    put(FADT + 116, 2, 1); /* in PCI's configuration space */
    acpi_init(rsdp);
    assert_int_equal(acpi_power.reset_port, 0);
    put(FADT + 116, 1, 1);
    put(FADT + 4, 128, 4); /* a table that ends before the value */
    acpi_power = (struct acpi_power){0};
    acpi_init(rsdp);
    assert_int_equal(acpi_power.reset_port, 0);
    put(FADT + 4, 268, 4);
    put(FADT + 112, 0, 4); /* not supported */
    acpi_power = (struct acpi_power){0};
    acpi_init(rsdp);
    assert_int_equal(acpi_power.reset_port, 0);
}

static void without_tables_a_piix4_tells(void **state)
{
    (void)state;
    put(XSDT + 44, 0, 8); /* no FADT */
    acpi_power = (struct acpi_power){0};
    chipset[0] = 0x71138086;
    chipset[0x40 / 4] = 0xB001;
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0); /* not on */
    chipset[0x80 / 4] = 1;
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0xB004);
    assert_true(acpi_power.s5_known);
    assert_int_equal(acpi_power.s5_type_a, 0);
    chipset[0] = 0x71108086;
    acpi_power = (struct acpi_power){0};
    acpi_init(rsdp);
    assert_int_equal(acpi_power.pm1a_control, 0); /* another chip */
}

static void cpus_of_both_kinds(void **state)
{
    (void)state;
    static const u8 entries[] = {
        0, 8,  0, 0, 1, 0, 0, 0,                         /* a local APIC */
        0, 8,  1, 2, 0, 0, 0, 0,                         /* not enabled */
        0, 8,  2, 4, 2, 0, 0, 0,                         /* may be plugged in */
        1, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,             /* an I/O APIC */
        9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* the first one once more */
        9, 16, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, /* an x2APIC */
        9, 16, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* not enabled */
    };
    put_table(MADT, "APIC", 44 + sizeof(entries));
    memcpy(&memory[MADT + 44], entries, sizeof(entries));
    acpi_init(rsdp);
    u32 ids[8];
    assert_int_equal(acpi_cpus(ids), 2);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 0x200);
    assert_int_equal(acpi_cpus(NULL), 3); /* room for all, be one of them listed twice */
    acpi_hide_cpu(0x200);
    assert_int_equal(acpi_cpus(ids), 1);
    assert_int_equal(memory[MADT + 9], 1); /* the sum stays as it was */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(the_old_fields_count), TEST(the_wide_fields_serve_alone),
        TEST(cpus_of_both_kinds),   TEST(hardware_reduced_acpi_has_a_sleep_register),
        TEST(the_reset_register),   TEST(without_tables_a_piix4_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
