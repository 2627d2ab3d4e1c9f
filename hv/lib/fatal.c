#include "lib/print.h"
#include "x86/instructions.h"

void (*fatal_handler)(const char *format, va_list arguments);

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (fatal_handler)
        fatal_handler(format, arguments);
    va_end(arguments);
    for (;;) { /* so early that nobody could read it */
        cli();
        hlt();
    }
}
