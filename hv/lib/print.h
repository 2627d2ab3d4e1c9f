/* Formatted output. `%s %c %u %x`, `l` `z`, width (also `*`), `-`, `0`, `%%`, `.N` for strings. */
#ifndef TALLY_LIB_PRINT_H
#define TALLY_LIB_PRINT_H

#include "types.h"
#include <stdarg.h>

#define PRINTF_LIKE(string, first) __attribute__((format(printf, string, first)))

/* Where characters go: the console in Tally, a buffer in host tests. Set once at start. */
extern void (*print_sink)(char c);

/* Writes raw text; nothing is added. A Tally line begins with `tally: `: use say(). */
void print(const char *format, ...) PRINTF_LIKE(1, 2);
void vprint(const char *format, va_list arguments);

/* One whole line of Tally's: `tally: ` + text + newline. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* Text in quotation marks as in JSON, up to NUL or `size` bytes; what is not ASCII becomes '?'. */
void print_quoted(const char *text, size_t size);

/* Like snprintf: writes at most `size` bytes with the NUL; returns the untruncated length. */
size_t format_string(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t vformat_string(char *buffer, size_t size, const char *format, va_list arguments);

/* A line that says what is wrong, for those that return one, or NULL; the next takes its place. */
const char *what_is_wrong(const char *format, ...) PRINTF_LIKE(1, 2);

/* One line `tally: error: …` on serial and screen, then the run ends with VERDICT_TALLY_ERROR. */
__attribute__((noreturn)) void fatal(const char *format, ...) PRINTF_LIKE(1, 2);

/* What prints that line and ends the run: power_fatal(), once there is a console. */
extern void (*fatal_handler)(const char *format, va_list arguments);

#endif
