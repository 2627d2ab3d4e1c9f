/* VMCS field encodings. */
#ifndef TALLY_X86_VMCS_H
#define TALLY_X86_VMCS_H

enum vmcs_field {
#define FIELD(name, encoding) name = encoding,
#include "x86/vmcs_fields.def"
#undef FIELD
};

#endif
