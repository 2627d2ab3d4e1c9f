/* COM1 at 115200 8N1, polled, and a small formatted print. */
#include "kernel/console.h"
#include "x86/instructions.h"

#define COM1 0x3F8

enum uart { UART_DATA = 0, UART_IER = 1, UART_FCR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5 };
#define LCR_DIVISOR 0x80
#define LCR_8N1 0x03
#define FCR_ENABLE_AND_CLEAR 0x07
#define MCR_DTR_RTS 0x03
#define LSR_HOLDING_EMPTY 0x20
#define LSR_ALL_SENT 0x40
#define FIFO_SIZE 16

static char line[512];
static u32 line_length;
static u32 accesses;

u32 console_accesses(void)
{
    return accesses;
}

static u8 read_status(void)
{
    accesses++;
    return inb(COM1 + UART_LSR);
}

void console_init(void)
{
    outb(COM1 + UART_IER, 0);
    outb(COM1 + UART_LCR, LCR_DIVISOR);
    outb(COM1 + UART_DATA, 1); /* divisor: 115200 baud */
    outb(COM1 + UART_IER, 0);
    outb(COM1 + UART_LCR, LCR_8N1);
    outb(COM1 + UART_FCR, FCR_ENABLE_AND_CLEAR);
    outb(COM1 + UART_MCR, MCR_DTR_RTS);
}

static void flush_line(void)
{
    for (u32 i = 0; i < line_length; i++) {
        if (i % FIFO_SIZE == 0)
            while (!(read_status() & LSR_HOLDING_EMPTY))
                ;
        accesses++;
        outb(COM1 + UART_DATA, (u8)line[i]);
    }
    line_length = 0;
}

void console_drain(void)
{
    while (!(read_status() & LSR_ALL_SENT))
        ;
}

static void put(char c)
{
    line[line_length++] = c;
    if (c == '\n' || line_length == sizeof(line))
        flush_line();
}

static void put_number(u64 value, u32 base, u32 width, char padding)
{
    char digits[20];
    u32 n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (u32 i = n; i < width; i++)
        put(padding);
    while (n)
        put(digits[--n]);
}

static void put_string(const char *s)
{
    while (*s)
        put(*s++);
}

void print_list(const char *format, __builtin_va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        char padding = *++format == '0' ? '0' : ' ';
        u32 width = 0;
        while (*format >= '0' && *format <= '9')
            width = width * 10 + (u32)(*format++ - '0');
        bool is_long = *format == 'l';
        if (is_long)
            format++;
        switch (*format) {
        case 's': put_string(__builtin_va_arg(arguments, const char *)); break;
        case 'c': put((char)__builtin_va_arg(arguments, int)); break;
        case 'u':
        case 'x': {
            u64 value =
                is_long ? __builtin_va_arg(arguments, u64) : __builtin_va_arg(arguments, u32);
            put_number(value, *format == 'x' ? 16 : 10, width, padding);
            break;
        }
        default: put(*format);
        }
    }
}

void print(const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    print_list(format, arguments);
    __builtin_va_end(arguments);
}
