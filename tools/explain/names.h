/* What the SDM calls things. */
#ifndef TALLY_EXPLAIN_NAMES_H
#define TALLY_EXPLAIN_NAMES_H

#include "vmx/capabilities.h"

/* As in x86/vmcs_fields.def; NULL for another encoding. */
const char *vmcs_field_name(u32 field);

/* SDM vol. 3, 'VM-Instruction Error Numbers'. */
const char *vm_instruction_error_name(u64 number);

/* What the qualification of a failed entry says. SDM vol. 3, 'VM-Entry Failures During or After
 * Loading Guest State'. */
const char *failed_entry_meaning(u32 reason, u64 qualification);

/* Of a control, or NULL where the bit is reserved. */
const char *control_name(enum control_word word, unsigned bit);

/* A general register by its number. */
const char *register_name(unsigned number);

#endif
