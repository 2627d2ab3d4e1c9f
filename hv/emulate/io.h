/* What the handlers of exit 30 share. */
#ifndef TALLY_EMULATE_IO_H
#define TALLY_EMULATE_IO_H

#include "vcpu.h"

/* The exit qualification. SDM vol. 3, 'Exit Qualification for I/O Instructions'. */
#define IO_SIZE 7ull /* bytes - 1 */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_REP BIT(5)
#define IO_PORT_SHIFT 16

/* INS and OUTS, elements of `size` bytes. In string_io.c. */
enum exit_action string_io_instruction(struct vcpu *vcpu, u64 qualification, unsigned size);

/* port.c: writes to the port. False: the write would end the machine and has not been done. */
bool filtered_out(u16 port, unsigned size, u32 value);

/* `value` as the low `bytes` of a register: one or two leave the rest of `old` alone, four clear
 * the upper half. */
static inline u64 merge_register(u64 old, u64 value, unsigned bytes)
{
    u64 kept = bytes >= 4 ? 0 : old & ~low_bytes(~0ull, bytes);
    return kept | low_bytes(value, bytes);
}

#endif
