/* The instruction at the guest's RIP, where the VMCS does not tell all of it. */
#ifndef TALLY_EMULATE_PREFIXES_H
#define TALLY_EMULATE_PREFIXES_H

#include "types.h"
#include "x86/registers.h"

struct instruction {
    size_t length;         /* 0: it cannot be read any more, and all below is as for a bare one */
    unsigned operand_size; /* bytes: 2, 4 or 8, with the code segment's default */
    unsigned address_size;
    int segment; /* enum segment of the override; -1: none */

    /* For opcodes after 0F and 0F 38, VEX and EVEX, with a ModRM byte that names registers. */
    bool vex;         /* a VEX or EVEX prefix chose the opcode map */
    unsigned rm, reg; /* numbers of the registers, 0 to 15 */
    u32 immediate;    /* the four bytes after it, if the instruction has them */
};

/* SDM vol. 2, 'Instruction Format'. Executed once more, an instruction that cannot be read raises
 * its page fault by itself. */
struct instruction guest_instruction(void);

#endif
