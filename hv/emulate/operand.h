/* The guest's instruction: what it is, where the VMCS does not tell, and its operand in memory. */
#ifndef TALLY_EMULATE_OPERAND_H
#define TALLY_EMULATE_OPERAND_H

#include "memory/guest_memory.h"

struct operand {
    enum segment segment;
    unsigned address_size; /* bytes: 2, 4 or 8 */
    u64 offset;
    size_t size;
};

/* The one of `size` bytes that the VM-exit instruction information and qualification describe.
 * SDM vol. 3, 'Information for VM Exits Due to Instruction Execution'. */
struct operand described_operand(const struct vcpu *vcpu, size_t size);

/* Through segment and pages, at the guest's privilege level; then its breakpoints are matched.
 * False: `fault` has what the guest must get. */
bool operand_read(const struct operand *operand, void *buffer, struct guest_fault *fault);
bool operand_write(const struct operand *operand, const void *buffer, struct guest_fault *fault);

/* Whether operand_write() would succeed: for data that must not get lost on the way. */
bool operand_can_write(const struct operand *operand, struct guest_fault *fault);

/* Where the operand lies. */
bool operand_linear(const struct operand *operand, enum access access, u64 *linear,
                    struct guest_fault *fault);

/* ---- prefixes.c: the instruction at the guest's RIP ---- */

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
