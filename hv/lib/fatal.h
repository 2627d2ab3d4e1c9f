/* The ways in which Tally gives up. Declared at the bottom, defined in platform/power.c. */
#ifndef TALLY_LIB_FATAL_H
#define TALLY_LIB_FATAL_H

#include "lib/print.h"

/* One line `tally: error: …` on serial and screen, then the run ends with VERDICT_TALLY_ERROR. */
__attribute__((noreturn)) void fatal(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
