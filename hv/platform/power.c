#include "platform/power.h"
#include "lib/print.h"
#include "platform/acpi.h"
#include "platform/console.h"
#include "platform/tsc.h"
#include "x86/instructions.h"

#define KEYBOARD_PULSES 0xF0 /* of the low bits of its output port that are 0 in the command */
#define OUTPUT_PORT_RESET 1  /* active low */
#define PORT_RESET_CONTROL 0xCF9
#define RESET_CPU BIT(2)
#define SECONDS_TO_READ 30
#define SLP_EN BIT(13)
#define SLP_TYP(value) ((value) >> 10 & 7)

static const char shutdown_word[] = "Shutdown";
static unsigned shutdown_letters; /* of it seen in a row */
static const char *way;
static const char reset_way[] = "reset";
void (*power_before_last_write)(void), (*power_leave)(void);

/* The guest's last write, to be repeated. */
static struct {
    u16 port;
    unsigned size;
    u32 value;
} last_write;

/* Firmware wakes a suspended machine without Tally, so a suspend ends the run, too. */
static const char *sleep_way(u32 value, u8 s5_type)
{
    if (!(value & SLP_EN))
        return NULL;
    return !acpi_power.s5_known || SLP_TYP(value) == s5_type ? "power-off" : "suspend";
}

/* Other CPUs may be writing there, too: the count never goes beyond the word. */
static bool ends_shutdown_word(u32 value)
{
    unsigned seen = shutdown_letters;
    if ((char)value != shutdown_word[seen])
        seen = 0;
    if ((char)value == shutdown_word[seen])
        seen++;
    bool ends = !shutdown_word[seen];
    shutdown_letters = ends ? 0 : seen;
    return ends;
}

/* Registers of one byte. */
static const char *way_of_byte(u16 port, u8 value)
{
    if (port == PORT_RESET_CONTROL)
        return value & RESET_CPU ? reset_way : NULL;
    if (port == PORT_KEYBOARD_COMMAND)
        return (value & ~0xFu) == KEYBOARD_PULSES && !(value & OUTPUT_PORT_RESET) ? reset_way
                                                                                  : NULL;
    if (port == PORT_KEYBOARD_DATA)
        return a20_output_port_next && !(value & OUTPUT_PORT_RESET) ? reset_way : NULL;
    if (port == PORT_SYSTEM_CONTROL_A)
        return value & 1 ? reset_way : NULL;
    if (acpi_power.reset_port && port == acpi_power.reset_port)
        return value == acpi_power.reset_value ? reset_way : NULL;
    return NULL;
}

/* The bits that a write puts into the two bytes of ACPI's register, which it may cover in part. */
static const char *way_of_control(u16 control, u8 s5_type, u16 port, unsigned size, u32 value)
{
    if (!control || port > control + 1 || port + size <= control)
        return NULL;
    return sleep_way(port > control ? value << 8 : value >> 8 * (control - port), s5_type);
}

static const char *way_of(u16 port, unsigned size, u32 value)
{
    if (port == EXIT_PORT)
        return value == VERDICT_FAILED ? "exit request: failed" : "exit request";
    if (port == SHUTDOWN_PORT)
        return ends_shutdown_word(value) ? "power-off" : NULL;
    if (port == PORT_PCI_ADDRESS && size == 4) /* another register than the reset control in it */
        return NULL;
    const char *found =
        way_of_control(acpi_power.pm1a_control, acpi_power.s5_type_a, port, size, value);
    if (!found)
        found = way_of_control(acpi_power.pm1b_control, acpi_power.s5_type_b, port, size, value);
    for (unsigned i = 0; i < size && !found; i++)
        found = way_of_byte((u16)(port + i), (u8)(value >> 8 * i));
    return found;
}

bool power_filter_out(u16 port, unsigned size, u32 value)
{
    const char *name = way_of(port, size, value);
    if (!name)
        return false;
    way = name;
    last_write.port = port;
    last_write.size = size;
    last_write.value = value;
    return true;
}

void power_watched_ports(void (*watch)(u16 port))
{
    static const u16 fixed[] = {EXIT_PORT,          SHUTDOWN_PORT,         PORT_RESET_CONTROL,
                                PORT_KEYBOARD_DATA, PORT_KEYBOARD_COMMAND, PORT_SYSTEM_CONTROL_A};
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
        watch(fixed[i]);
    const u16 told[] = {acpi_power.pm1a_control, (u16)(acpi_power.pm1a_control + 1),
                        acpi_power.pm1b_control, (u16)(acpi_power.pm1b_control + 1),
                        acpi_power.reset_port};
    for (unsigned i = 0; i < ARRAY_SIZE(told); i++)
        if (told[i] > 1)
            watch(told[i]);
}

u32 power_verdict(void)
{
    return last_write.port == EXIT_PORT ? last_write.value : VERDICT_PASSED;
}

const char *power_way(void)
{
    return way ? way : "stop";
}

static void repeat_last_write(void)
{
    if (!last_write.size)
        return;
    if (power_before_last_write)
        power_before_last_write();
    port_out(last_write.port, last_write.size, last_write.value);
}

void power_end(u32 value)
{
    console_drain();
    __asm__ volatile("xchg %bx, %bx"); /* Bochs, if asked to, stops here for a reader */
    outl(EXIT_PORT, value);
    for (const char *letter = shutdown_word; *letter; letter++)
        outb(SHUTDOWN_PORT, (u8)*letter);
    if (power_leave)
        power_leave();
    if (!console_screen_alone()) {
        repeat_last_write();
    } else if (way == reset_way) { /* a power-off would take what is on the screen with it */
        say("the reset follows in %u s; `last` shows these counts again", SECONDS_TO_READ);
        tsc_wait_us(SECONDS_TO_READ * 1000000);
        repeat_last_write();
    }
    for (;;) {
        cli();
        hlt();
    }
}

void power_fatal(const char *format, va_list arguments)
{
    console_show_on_screen();
    print("tally: error: ");
    vprint(format, arguments);
    print("\n");
    power_end(VERDICT_TALLY_ERROR);
}
