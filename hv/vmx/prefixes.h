/* The prefixes of the instruction at the guest's RIP, where the VMCS does not tell their effect. */
#ifndef TALLY_VMX_PREFIXES_H
#define TALLY_VMX_PREFIXES_H

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

#endif
