/* What the firmware wants in the CPU while it is called; the assembly reads it. */
#ifndef TALLY_EFI_STATE_H
#define TALLY_EFI_STATE_H

#include "x86/instructions.h"

struct efi_state {
    u64 cr3, rsp;
    struct descriptor_table_register gdtr, idtr;
    u16 cs, ss, ds;
};

#endif
