/* VMX, SMX, SGX and SMM instructions: #UD everywhere, as on a CPU without these features. */
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/descriptors.h"

CODE64(vmcall, "vmcall");
CODE64(vmlaunch, "vmlaunch");
CODE64(vmresume, "vmresume");
CODE64(vmxoff, "vmxoff");
CODE64(vmclear, "vmclear [rax]");
CODE64(vmptrld, "vmptrld [rax]");
CODE64(vmptrst, "vmptrst [rax]");
CODE64(vmxon, "vmxon [rax]");
CODE64(vmread, "vmread rcx, rdx");
CODE64(vmread_memory, "vmread [rax], rdx");
CODE64(vmwrite, "vmwrite rdx, rcx");
CODE64(invept, "invept rcx, [rax]");
CODE64(invvpid, "invvpid rcx, [rax]");
CODE64(vmfunc, "vmfunc");
CODE64(getsec, "getsec");
CODE64(rsm, "rsm");
CODE64(encls, ".byte 0x0F, 0x01, 0xCF");
CODE64(enclv, ".byte 0x0F, 0x01, 0xC0");
CODE64(pconfig, ".byte 0x0F, 0x01, 0xC5");
CODE64(seamcall, ".byte 0x66, 0x0F, 0x01, 0xCF");
CODE64(tdcall, ".byte 0x66, 0x0F, 0x01, 0xCC");

/*
 * In 64-bit code and outside IA-32e mode all of them exit, at every privilege level; in
 * compatibility, virtual-8086 and real-address mode VMCALL alone does (SDM vol. 3, 'Instructions
 * That Cause VM Exits Unconditionally').
 */
#define IN_EXITING (IN_64 | IN_P | IN_P_USER)
#define IN_FAULTING (IN_32_AND_16 | IN(V86) | IN(REAL))
#define IN_EVERY (IN_ALL | IN_LEGACY)
#define ROW(name, code, reason)                                                                    \
    {name,                                                                                         \
     CODE(code),                                                                                   \
     .modes = IN_EXITING,                                                                          \
     .rax = LOW_DATA,                                                                              \
     .rcx = 1,                                                                                     \
     .fault = FAULT(UD),                                                                           \
     .exits = EXITS(reason, MINIMAL, 1)},                                                          \
    {                                                                                              \
        name, CODE(code), .modes = IN_FAULTING, .rax = LOW_DATA, .fault = FAULT(UD)                \
    }
#define FAULTS_BY_ITSELF(name, code)                                                               \
    {                                                                                              \
        name, CODE(code), .modes = IN_EVERY, .fault = FAULT(UD)                                    \
    }

static const struct instruction_test instructions[] = {
    {"VMCALL", CODE(vmcall), .modes = IN_EVERY, .fault = FAULT(UD),
     .exits = EXITS(VMCALL, MINIMAL, 1)},
    ROW("VMLAUNCH", vmlaunch, VMLAUNCH),
    ROW("VMRESUME", vmresume, VMRESUME),
    ROW("VMXOFF", vmxoff, VMXOFF),
    ROW("VMCLEAR", vmclear, VMCLEAR),
    ROW("VMPTRLD", vmptrld, VMPTRLD),
    ROW("VMPTRST", vmptrst, VMPTRST),
    ROW("VMXON", vmxon, VMXON),
    ROW("VMREAD", vmread, VMREAD),
    ROW("VMREAD to memory", vmread_memory, VMREAD),
    ROW("VMWRITE", vmwrite, VMWRITE),
    ROW("INVEPT", invept, INVEPT),
    ROW("INVVPID", invvpid, INVVPID),
    {"VMFUNC", CODE(vmfunc), .modes = IN_EVERY, .fault = FAULT(UD), .exits = EXITS(VMFUNC, ALL, 1),
     .optional_control = true},
    {"VMFUNC beyond the last function", CODE(vmfunc), .modes = IN_ALL, .rax = 64,
     .fault = FAULT(UD)},
    FAULTS_BY_ITSELF("GETSEC", getsec),
    FAULTS_BY_ITSELF("RSM", rsm),
    {"ENCLS", CODE(encls), .modes = IN_ALL, .fault = FAULT(UD), .exits = EXITS(ENCLS, MINIMAL, 1),
     .optional_control = true},
    {"ENCLV", CODE(enclv), .modes = IN_ALL, .fault = FAULT(UD), .exits = EXITS(ENCLV, MINIMAL, 1),
     .optional_control = true},
    {"PCONFIG", CODE(pconfig), .modes = IN_ALL, .fault = FAULT(UD), .exits = EXITS(PCONFIG, ALL, 1),
     .optional_control = true},
    {"SEAMCALL", CODE(seamcall), .modes = IN(64), .fault = FAULT(UD),
     .exits = EXITS(SEAMCALL, MINIMAL, 1), .optional_control = true},
    {"TDCALL", CODE(tdcall), .modes = IN(64), .fault = FAULT(UD),
     .exits = EXITS(TDCALL, MINIMAL, 1), .optional_control = true},
};

void test_vmx_instructions(void)
{
    RUN_TESTS(instructions);
}
