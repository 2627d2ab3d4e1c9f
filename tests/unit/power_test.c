// The writes that end the machine, whole and in parts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/print.h"
#include "platform/acpi.h"
#include "platform/console.h"
#include "platform/power.h"
#include "platform/tsc.h"
#include "watched_ports.h"
#include "x86/instructions.h"

struct acpi_power acpi_power;

void console_drain(void)
{
}

void console_show_on_screen(void)
{
}

static unsigned screen_lines;

unsigned console_screen_alone(void)
{
    return screen_lines;
}

static char order[64]; /* of what the end of a run does */
static jmp_buf halted;

static void note(const char *what)
{
    assert_true(strlen(order) + strlen(what) < sizeof(order));
    strcat(order, what);
}

void tsc_wait_us(u32 microseconds)
{
    assert_int_equal(microseconds, 30000000);
    note(" wait");
}

void outb(u16 port, u8 value)
{
    if (port == 0x64 && value == 0xFE)
        note(" reset");
    else
        assert_int_equal(port, SHUTDOWN_PORT);
}

void outw(u16 port, u16 value)
{
    fail_msg("%#x to port %#x", value, port);
}

void outl(u16 port, u32 value)
{
    (void)value;
    assert_int_equal(port, EXIT_PORT);
    note(" exit");
}

void cli(void)
{
}

void hlt(void)
{
    longjmp(halted, 1);
}

static void unheard(char c)
{
    (void)c;
}

static int setup(void **state)
{
    (void)state;
    print_sink = unheard;
    acpi_power = (struct acpi_power){.pm1a_control = 0x604,
                                     .pm1b_control = 0x704,
                                     .s5_type_a = 5,
                                     .s5_type_b = 6,
                                     .s5_known = true,
                                     .reset_port = 0xB1,
                                     .reset_value = 0x77};
    return 0;
}

static void ends_by(u16 port, unsigned size, u32 value, const char *way)
{
    if (power_filter_out(port, size, value) != !!way)
        fail_msg("%u bytes of %#x to port %#x", size, value, port);
    if (way)
        assert_string_equal(power_way(), way);
}

static void resets(void **state)
{
    (void)state;
    ends_by(0x64, 1, 0xFE, "reset");
    for (u32 command = 0xF0; command < 0x100; command++)
        ends_by(0x64, 1, command, command & 1 ? NULL : "reset"); /* the pulsed bits are the 0s */
    ends_by(0x64, 1, 0xE0, NULL);
    ends_by(0x63, 2, 0xFE00, "reset");
    ends_by(0x92, 1, 1, "reset");
    ends_by(0x92, 1, 2, NULL);
    ends_by(0x91, 2, 0x0100, "reset");
    ends_by(0xCF9, 1, 6, "reset");
    ends_by(0xCF9, 1, 2, NULL);
    ends_by(0xCF8, 2, 0x0600, "reset");
    ends_by(0xCF8, 4, 0x80000600, NULL); /* PCI's address register */
    ends_by(0xB1, 1, 0x77, "reset");
    ends_by(0xB0, 4, 0x7700, "reset");
    ends_by(0xB0, 1, 0x77, NULL);
}

/* The byte behind command 0xD1 goes to the output port; bit 0 is the line of the reset. */
static void resets_by_the_keyboards_output_port(void **state)
{
    (void)state;
    ends_by(0x60, 1, 0xDE, NULL);
    a20_keep(0x64, 1, 0xD1);
    ends_by(0x60, 1, 0xDF, NULL);
    ends_by(0x60, 1, 0xDE, "reset");
    ends_by(0x5F, 2, 0xDE00, "reset");
    a20_keep(0x60, 1, 0xDF);
    ends_by(0x60, 1, 0xDE, NULL); /* to the keyboard */
    a20_keep(0x64, 1, 0xD1);
    a20_keep(0x64, 1, 0xAE);
    ends_by(0x60, 1, 0xDE, NULL);
}

static void sleeps(void **state)
{
    (void)state;
    ends_by(0x604, 2, 0x2000 | 5 << 10, "power-off");
    ends_by(0x604, 2, 0x2000 | 1 << 10, "suspend");
    ends_by(0x604, 2, 5 << 10, NULL);
    ends_by(0x605, 1, 0x20 | 1 << 2, "suspend"); /* its upper half alone */
    ends_by(0x605, 1, 0x20 | 5 << 2, "power-off");
    ends_by(0x604, 1, 0x20, NULL);
    ends_by(0x602, 4, (0x2000u | 1 << 10) << 16, "suspend");
    ends_by(0x603, 2, 0x2000, NULL);
    ends_by(0x606, 2, 0x2000, NULL);
    ends_by(0x704, 2, 0x2000 | 6 << 10, "power-off");
    acpi_power.s5_known = false; /* then every sleep is taken for it */
    ends_by(0x604, 2, 0x2000 | 1 << 10, "power-off");
    acpi_power.pm1a_control = 0;
    ends_by(0, 2, 0x2000, NULL);
}

/* Among them 0x60, 0x64 and 0x92, which address line 20 has, too. */
static void ports_are_watched(void **state)
{
    (void)state;
    static const u16 expected[] = {EXIT_PORT, SHUTDOWN_PORT, 0xCF9, 0x60,  0x64, 0x92,
                                   0x604,     0x605,         0x704, 0x705, 0xB1};
    for (unsigned given = 0; given < 2; given++) {
        unsigned number = given ? ARRAY_SIZE(expected) : 6;
        acpi_power = given ? acpi_power : (struct acpi_power){0};
        assert_watched(power_watched_ports, expected, number);
        setup(NULL);
    }
}

static void words(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++)
        for (const char *letter = "ShShutdown"; *letter; letter++)
            ends_by(SHUTDOWN_PORT, 1, (u8)*letter, *letter == 'n' ? "power-off" : NULL);
    ends_by(SHUTDOWN_PORT, 1, 0, NULL); /* what stands behind the word */
    ends_by(EXIT_PORT, 4, 0x11, "exit request: failed");
    assert_int_equal(power_verdict(), 0x11);
}

static void prepare(void)
{
    note(" prepare");
}

static void the_guests_write_comes_last(void **state)
{
    (void)state;
    order[0] = '\0';
    power_before_last_write = prepare;
    ends_by(0x64, 1, 0xFE, "reset");
    if (!setjmp(halted))
        power_end(0x10);
    assert_string_equal(order, " exit prepare reset");
}

static void what_is_on_the_screen_alone_stays(void **state)
{
    (void)state;
    order[0] = '\0';
    screen_lines = 25;
    ends_by(EXIT_PORT, 4, 0x10, "exit request");
    power_before_last_write = prepare;
    if (!setjmp(halted))
        power_end(0x10);
    assert_string_equal(order, " exit");
    screen_lines = 0;
}

static void a_reset_waits_for_who_reads_the_screen(void **state)
{
    (void)state;
    order[0] = '\0';
    screen_lines = 25;
    ends_by(0x64, 1, 0xFE, "reset");
    power_before_last_write = prepare;
    if (!setjmp(halted))
        power_end(0x10);
    assert_string_equal(order, " exit wait prepare reset");
    screen_lines = 0;
}

static void without_a_write_the_machine_halts(void **state)
{
    (void)state;
    order[0] = '\0';
    power_before_last_write = prepare;
    if (!setjmp(halted))
        power_end(0x10);
    assert_string_equal(order, " exit");
}

static void leave(void)
{
    note(" leave");
}

/* A firmware that goes on gets its machine back, but not from an emulator that listened. */
static void the_firmware_gets_its_machine_back(void **state)
{
    (void)state;
    order[0] = '\0';
    power_leave = leave;
    if (!setjmp(halted))
        power_end(0x12);
    power_leave = NULL;
    assert_string_equal(order, " exit leave");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {TEST(without_a_write_the_machine_halts),
                                       TEST(the_firmware_gets_its_machine_back),
                                       TEST(what_is_on_the_screen_alone_stays),
                                       TEST(a_reset_waits_for_who_reads_the_screen),
                                       TEST(resets),
                                       TEST(resets_by_the_keyboards_output_port),
                                       TEST(sleeps),
                                       TEST(words),
                                       TEST(ports_are_watched),
                                       TEST(the_guests_write_comes_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
