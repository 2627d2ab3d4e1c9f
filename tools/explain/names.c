#include "names.h"

#include "tally.h"
#include "x86/vmx.h"

const char *vmcs_field_name(u32 field)
{
    switch (field) {
#define FIELD(name, encoding)                                                                      \
    case encoding:                                                                                 \
        return #name;
#include "x86/vmcs_fields.def"
#undef FIELD
    default: return NULL;
    }
}

const char *control_name(enum control_word word, unsigned bit)
{
    static const char *const names[CONTROL_WORDS][32] = {
#define CONTROL(word, name, bit, need, text) [WORD_##word][bit] = text,
#define OTHER(word, name, bit, text) [WORD_##word][bit] = text,
#include "x86/vmx_controls.def"
    };
    return names[word][bit];
}

const char *vm_instruction_error_name(u64 number)
{
    static const char *const errors[] = {
        [2] = "VMCLEAR with invalid physical address",
        [3] = "VMCLEAR with VMXON pointer",
        [4] = "VMLAUNCH with non-clear VMCS",
        [5] = "VMRESUME with non-launched VMCS",
        [7] = "VM entry with invalid control field(s)",
        [8] = "VM entry with invalid host-state field(s)",
        [9] = "VMPTRLD with invalid physical address",
        [10] = "VMPTRLD with VMXON pointer",
        [11] = "VMPTRLD with incorrect VMCS revision identifier",
        [12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
        [13] = "VMWRITE to read-only VMCS component",
        [15] = "VMXON executed in VMX root operation",
        [26] = "VM entry with events blocked by MOV SS",
        [28] = "Invalid operand to INVEPT/INVVPID",
    };
    const char *name = number < ARRAY_SIZE(errors) ? errors[number] : NULL;
    return name ? name : "unknown";
}

const char *failed_entry_meaning(u32 reason, u64 qualification)
{
    if (reason == EXIT_ENTRY_FAIL_MSR_LOAD)
        return "the number of the entry in the MSR-load area, from 1";
    switch (qualification) {
    case 2: return "loading the PDPTEs";
    case 3: return "injecting an NMI under blocking by STI";
    case 4: return "the VMCS link pointer";
    default: return "no further information";
    }
}

const char *register_name(unsigned number)
{
    static const char *const names[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                        "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    return number < ARRAY_SIZE(names) ? names[number] : "?";
}
