#include "platform/console.h"
#include "lib/print.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "lib/atomic.h"

/* Registers of a 16550, from COM1 on. */
enum { UART_DATA, UART_IER, UART_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCRATCH };
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_DTR_RTS 0x03
#define MCR_LOOPBACK 0x10
#define LSR_TRANSMITTER_EMPTY 0x20 /* takes the next letter */
#define LSR_ALL_SENT 0x40
#define DIVISOR_115200 1

static bool has_uart, has_screen, screen_on;
static bool guest_in_line;
static u8 line_control, modem_control; /* as last written, by anyone */

/* Bounded: a UART that is not there, or stuck, must not hang the machine. */
static void wait_for_line(u8 status)
{
    for (unsigned i = 0; i < 100000; i++)
        if (inb(COM1 + UART_LSR) & status)
            return;
}

void console_drain(void)
{
    if (has_uart)
        wait_for_line(LSR_ALL_SENT);
}

static void uart_put(char c)
{
    wait_for_line(LSR_TRANSMITTER_EMPTY);
    outb(COM1 + UART_DATA, (u8)c);
}

/* True: what goes to the data port is not sent. */
static bool not_sending(void)
{
    return line_control & LCR_DLAB || modem_control & MCR_LOOPBACK;
}

/* The guest has the divisor latch or loopback on: off for the letter, then as it was. */
static void uart_put_borrowed(char c)
{
    outb(COM1 + UART_LCR, line_control & (u8)~LCR_DLAB);
    outb(COM1 + UART_MCR, modem_control & (u8)~MCR_LOOPBACK);
    uart_put(c);
    wait_for_line(LSR_TRANSMITTER_EMPTY);
    outb(COM1 + UART_MCR, modem_control);
    outb(COM1 + UART_LCR, line_control);
}

/* A line belongs to the CPU that began it, until its end; that is not waited for for ever. */
static u64 line_owner;

static void own_line(u64 self)
{
    u64 free = 0;
    for (unsigned i = 0; line_owner != self && i < 100000000; i++, free = 0)
        if (atomic_replace(&line_owner, &free, self))
            return;
    line_owner = self;
}

static void put_everywhere(char c)
{
    void (*send)(char) = not_sending() ? uart_put_borrowed : uart_put;
    if (has_uart) {
        if (c == '\n')
            send('\r');
        send(c);
    }
    if (screen_on)
        screen_put(c);
}

static void console_put(char c)
{
    own_line(rdmsr(IA32_GS_BASE)); /* another for each CPU, see cpu_load_tables() */
    if (guest_in_line) {
        guest_in_line = false;
        put_everywhere('\n');
    }
    put_everywhere(c);
    if (c == '\n')
        atomic_store(&line_owner, 0);
}

static bool probe_uart(void)
{
    outb(COM1 + UART_SCRATCH, 0x5A);
    return inb(COM1 + UART_SCRATCH) == 0x5A;
}

void console_init(void)
{
    has_uart = probe_uart();
    if (has_uart) {
        outb(COM1 + UART_IER, 0);
        outb(COM1 + UART_LCR, LCR_DLAB);
        outb(COM1 + UART_DATA, DIVISOR_115200);
        outb(COM1 + UART_IER, 0);
        outb(COM1 + UART_LCR, line_control = LCR_8N1);
        outb(COM1 + UART_FCR, 0x07); /* FIFOs on and empty */
        outb(COM1 + UART_MCR, modem_control = MCR_DTR_RTS);
    }
    has_screen = screen_on = true;
    print_sink = console_put;
}

void console_choose_screen(const struct boot_info *info)
{
    has_screen = screen_on = screen_choose(info);
}

void console_show_on_screen(void)
{
    if (has_screen && !screen_on)
        screen_begin();
    screen_on = has_screen;
}

unsigned console_screen_alone(void)
{
    return has_uart || !has_screen ? 0 : screen_rows_left();
}

void console_hand_over(void)
{
    screen_on = false;
}

void serial_filter_watch(void (*watch)(u16 port))
{
    watch(COM1 + UART_DATA);
    watch(COM1 + UART_LCR);
    watch(COM1 + UART_MCR);
}

/* No port is read here: it would cost more than all the rest of a letter's exit. */
void serial_filter_out(u16 port, u8 value)
{
    if (port == COM1 + UART_LCR)
        line_control = value;
    else if (port == COM1 + UART_MCR)
        modem_control = value;
    else if (port == COM1 + UART_DATA && !not_sending())
        guest_in_line = value != '\n';
}
