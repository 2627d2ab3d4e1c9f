/* The instruction at the guest's RIP, where the VMCS does not tell all of it. */
#ifndef TALLY_EMULATE_PREFIXES_H
#define TALLY_EMULATE_PREFIXES_H

#include "types.h"
#include "x86/registers.h"

struct prefixes {
    unsigned operand_size; /* bytes: 2, 4 or 8, with the code segment's default */
    unsigned address_size;
    int segment; /* enum segment of the override; -1: none */
};

/* SDM vol. 2, 'Instruction Prefixes'. An instruction that cannot be read any more counts as bare.
 */
struct prefixes guest_prefixes(void);

/* Operands of an instruction with a ModRM byte that names registers. */
struct operands {
    bool vex;         /* a VEX or EVEX prefix chose the opcode map */
    u8 opcode;        /* its last byte */
    unsigned rm, reg; /* numbers of the registers, 0 to 15 */
    u32 immediate;    /* the four bytes behind, if the instruction has them */
};

/* Of 0F and 0F 38 opcodes, VEX and EVEX. False if the instruction cannot be read any more: executed
 * once more it raises its page fault by itself. */
bool guest_operands(struct operands *operands);

#endif
