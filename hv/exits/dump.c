#include "exits/dump.h"

#include "lib/print.h"

/* Every field of x86/vmcs.h: what the exit says, guest state, controls, host state. */
/* clang-format off */
#define FIELDS(F)                                                                                  \
    F(GUEST_PHYSICAL_ADDRESS) F(VM_INSTRUCTION_ERROR) F(VM_EXIT_REASON)                            \
    F(VM_EXIT_INTERRUPTION_INFO) F(VM_EXIT_INTERRUPTION_ERROR_CODE) F(IDT_VECTORING_INFO)          \
    F(IDT_VECTORING_ERROR_CODE) F(VM_EXIT_INSTRUCTION_LENGTH) F(VM_EXIT_INSTRUCTION_INFO)          \
    F(EXIT_QUALIFICATION) F(IO_RCX) F(IO_RSI) F(IO_RDI) F(IO_RIP) F(GUEST_LINEAR_ADDRESS)          \
    F(GUEST_ES_SELECTOR) F(GUEST_CS_SELECTOR) F(GUEST_SS_SELECTOR) F(GUEST_DS_SELECTOR)            \
    F(GUEST_FS_SELECTOR) F(GUEST_GS_SELECTOR) F(GUEST_LDTR_SELECTOR) F(GUEST_TR_SELECTOR)          \
    F(GUEST_INTERRUPT_STATUS) F(GUEST_PML_INDEX) F(VMCS_LINK_POINTER) F(GUEST_IA32_DEBUGCTL)       \
    F(GUEST_IA32_PAT) F(GUEST_IA32_EFER) F(GUEST_IA32_PERF_GLOBAL_CTRL) F(GUEST_PDPTE0)            \
    F(GUEST_PDPTE1) F(GUEST_PDPTE2) F(GUEST_PDPTE3) F(GUEST_ES_LIMIT) F(GUEST_CS_LIMIT)            \
    F(GUEST_SS_LIMIT) F(GUEST_DS_LIMIT) F(GUEST_FS_LIMIT) F(GUEST_GS_LIMIT) F(GUEST_LDTR_LIMIT)    \
    F(GUEST_TR_LIMIT) F(GUEST_GDTR_LIMIT) F(GUEST_IDTR_LIMIT) F(GUEST_ES_ACCESS_RIGHTS)            \
    F(GUEST_CS_ACCESS_RIGHTS) F(GUEST_SS_ACCESS_RIGHTS) F(GUEST_DS_ACCESS_RIGHTS)                  \
    F(GUEST_FS_ACCESS_RIGHTS) F(GUEST_GS_ACCESS_RIGHTS) F(GUEST_LDTR_ACCESS_RIGHTS)                \
    F(GUEST_TR_ACCESS_RIGHTS) F(GUEST_INTERRUPTIBILITY) F(GUEST_ACTIVITY_STATE) F(GUEST_SMBASE)    \
    F(GUEST_IA32_SYSENTER_CS) F(VMX_PREEMPTION_TIMER_VALUE) F(GUEST_CR0) F(GUEST_CR3)              \
    F(GUEST_CR4) F(GUEST_ES_BASE) F(GUEST_CS_BASE) F(GUEST_SS_BASE) F(GUEST_DS_BASE)               \
    F(GUEST_FS_BASE) F(GUEST_GS_BASE) F(GUEST_LDTR_BASE) F(GUEST_TR_BASE) F(GUEST_GDTR_BASE)       \
    F(GUEST_IDTR_BASE) F(GUEST_DR7) F(GUEST_RSP) F(GUEST_RIP) F(GUEST_RFLAGS)                      \
    F(GUEST_PENDING_DEBUG_EXCEPTIONS) F(GUEST_IA32_SYSENTER_ESP) F(GUEST_IA32_SYSENTER_EIP)        \
    F(VIRTUAL_PROCESSOR_ID) F(IO_BITMAP_A) F(IO_BITMAP_B) F(MSR_BITMAP)                            \
    F(VM_EXIT_MSR_STORE_ADDR) F(VM_EXIT_MSR_LOAD_ADDR) F(VM_ENTRY_MSR_LOAD_ADDR)                   \
    F(EXECUTIVE_VMCS_POINTER) F(PML_ADDRESS) F(TSC_OFFSET) F(VIRTUAL_APIC_ADDRESS)                 \
    F(APIC_ACCESS_ADDRESS) F(VM_FUNCTION_CONTROLS) F(EPT_POINTER) F(EOI_EXIT_BITMAP_0)             \
    F(EOI_EXIT_BITMAP_1) F(EOI_EXIT_BITMAP_2) F(EOI_EXIT_BITMAP_3) F(XSS_EXITING_BITMAP)           \
    F(ENCLS_EXITING_BITMAP) F(SPP_TABLE_POINTER) F(TERTIARY_PROCBASED_CONTROLS)                    \
    F(ENCLV_EXITING_BITMAP) F(PCONFIG_EXITING_BITMAP) F(SECONDARY_VM_EXIT_CONTROLS)                \
    F(PIN_BASED_CONTROLS) F(PRIMARY_PROCBASED_CONTROLS) F(EXCEPTION_BITMAP)                        \
    F(PAGE_FAULT_ERROR_CODE_MASK) F(PAGE_FAULT_ERROR_CODE_MATCH) F(CR3_TARGET_COUNT)               \
    F(VM_EXIT_CONTROLS) F(VM_EXIT_MSR_STORE_COUNT) F(VM_EXIT_MSR_LOAD_COUNT)                       \
    F(VM_ENTRY_CONTROLS) F(VM_ENTRY_MSR_LOAD_COUNT) F(VM_ENTRY_INTERRUPTION_INFO)                  \
    F(VM_ENTRY_EXCEPTION_ERROR_CODE) F(VM_ENTRY_INSTRUCTION_LENGTH) F(TPR_THRESHOLD)               \
    F(SECONDARY_PROCBASED_CONTROLS) F(PLE_GAP) F(PLE_WINDOW) F(INSTRUCTION_TIMEOUT_CONTROL)        \
    F(CR0_GUEST_HOST_MASK) F(CR4_GUEST_HOST_MASK) F(CR0_READ_SHADOW) F(CR4_READ_SHADOW)            \
    F(CR3_TARGET_VALUE0) F(HOST_ES_SELECTOR) F(HOST_CS_SELECTOR) F(HOST_SS_SELECTOR)               \
    F(HOST_DS_SELECTOR) F(HOST_FS_SELECTOR) F(HOST_GS_SELECTOR) F(HOST_TR_SELECTOR)                \
    F(HOST_IA32_PAT) F(HOST_IA32_EFER) F(HOST_IA32_PERF_GLOBAL_CTRL) F(HOST_IA32_SYSENTER_CS)      \
    F(HOST_CR0) F(HOST_CR3) F(HOST_CR4) F(HOST_FS_BASE) F(HOST_GS_BASE) F(HOST_TR_BASE)            \
    F(HOST_GDTR_BASE) F(HOST_IDTR_BASE) F(HOST_IA32_SYSENTER_ESP) F(HOST_IA32_SYSENTER_EIP)        \
    F(HOST_RSP) F(HOST_RIP)
/* clang-format on */

#define NUMBER(field) field,
#define NAME(field) #field "\0"

static const u16 numbers[] = {FIELDS(NUMBER)};
static const char names[] = FIELDS(NAME); /* in the same order, one after the other */

static const char *next_name(const char *name)
{
    while (*name++)
        ;
    return name;
}

const char *vmcs_field_name(u32 field)
{
    const char *name = names;
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++, name = next_name(name))
        if (numbers[i] == field)
            return name;
    return "?";
}

void vmcs_dump(const struct vcpu *vcpu)
{
    static const char registers[GPRS][4] = {"RAX", "RCX", "RDX", "RBX", "",    "RBP", "RSI", "RDI",
                                            "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    for (unsigned i = 0; i < GPRS; i++)
        if (i != RSP) /* among the fields */
            say("%-35s %016lx", registers[i], vcpu->gpr[i]);

    const char *name = names;
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++, name = next_name(name)) {
        u64 value;
        if (vmread_safe(numbers[i], &value))
            say("%-35s %016lx", name, value);
    }
}

const char *vm_instruction_error_name(u32 number)
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
