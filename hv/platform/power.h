/*
 * The ways in which a machine ends: Tally watches these ports, prints its report first and then
 * repeats what the guest wrote.
 */
#ifndef TALLY_PLATFORM_POWER_H
#define TALLY_PLATFORM_POWER_H

#include "tally.h"
#include <stdarg.h>

/* Before the guest's OUT is carried out: true if it switches off, resets or ends the run. The
 * handler then returns EXIT_STOP, and power_end() repeats the write after the report. */
bool power_filter_out(u16 port, unsigned size, u32 value);

/* Calls `watch` for each port that power_filter_out() and a20_keep() want to see. */
void power_watched_ports(void (*watch)(u16 port));

/* Ends the run: EXIT_PORT, SHUTDOWN_PORT, the guest's own write if there was one, halt. Without
 * an emulator that listens, the machine does what the guest asked for. */
__attribute__((noreturn)) void power_end(u32 verdict);

/* Who takes the machine over from power_end(), if nobody listens there, while there is no guest;
 * NULL: nobody. */
extern void (*power_leave)(void);

/* An error of Tally's, in one line, and the end: fatal_handler. */
__attribute__((noreturn)) void power_fatal(const char *format, va_list arguments);

/* What power_end() is to do before it repeats the guest's write; NULL: nothing. */
extern void (*power_before_last_write)(void);

/* The verdict of the guest's way to end: what it wrote to EXIT_PORT, else VERDICT_PASSED. */
u32 power_verdict(void);

/* What the guest did, for the report: "power-off", "suspend", "reset", "exit request: failed", … */
const char *power_way(void);

/*
 * ---- a20.c: address line 20. In VMX operation a CPU takes no notice of its switch (SDM vol. 3,
 * 'Restrictions on VMX Operation'), but emulators clear the bit in all addresses, Tally's included.
 */

/* Ports that have to do with it, and by which machines are reset. */
#define PORT_KEYBOARD_DATA 0x60
#define PORT_KEYBOARD_COMMAND 0x64
#define PORT_SYSTEM_CONTROL_A 0x92
#define A20_LAST_PORT PORT_SYSTEM_CONTROL_A

/* What goes to the ports in place of the guest's `value`, so that the line stays on. */
u32 a20_keep(u16 port, unsigned size, u32 value);

/* Whether the next byte to port 0x60 goes to the keyboard controller's output port. */
extern bool a20_output_port_next;

#endif
