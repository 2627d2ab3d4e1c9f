/* An instruction's operand in memory, as the guest's own instruction would access it. */
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

#endif
