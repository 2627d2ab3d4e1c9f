/* The way in which Tally gives up. */
#ifndef TALLY_LIB_FATAL_H
#define TALLY_LIB_FATAL_H

#include "lib/print.h"

/* One line `tally: error: …` on serial and screen, then the run ends with VERDICT_TALLY_ERROR. */
__attribute__((noreturn)) void fatal(const char *format, ...) PRINTF_LIKE(1, 2);

/* What prints that line and ends the run: power_fatal(), once there is a console. */
extern void (*fatal_handler)(const char *format, va_list arguments);

#endif
