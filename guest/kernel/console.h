/* The serial console, COM1, and formatted output to it. */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include "types.h"

void console_init(void);
/* Waits until the last letter has left. */
void console_drain(void);
/* Accesses to its ports so far: each is an exit under Tally, in every profile. */
u32 console_accesses(void);

/*
 * Knows %s %c %u %x (32 bits), %lu %lx (64 bits) and %%, with an optional width, zero-padded by a
 * leading 0. Text is held back until its line is complete, then written in one go.
 */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, __builtin_va_list arguments);

#endif
