/* Bits of VMX controls and data. SDM vol. 3, 'Virtual Machine Control Structures'. */
#ifndef TALLY_X86_VMX_H
#define TALLY_X86_VMX_H

#include "types.h"

/* VMCS field encodings */
enum vmcs_field {
#define FIELD(name, encoding) name = encoding,
#include "x86/vmcs_fields.def"
#undef FIELD
};

/* PIN_…, PROC_…, PROC2_…, EXIT_… and ENTRY_…: the controls */
enum vmx_control {
#define CONTROL(word, name, bit, need, text) word##_##name = 1u << (bit),
#define OTHER(word, name, bit, text) word##_##name = 1u << (bit),
#include "x86/vmx_controls.def"
};

/* Tertiary processor-based VM-execution controls */
#define PROC3_ENABLE_MSRLIST BIT(6)

/* Exit reason word */
#define EXIT_REASON_BASIC 0xFFFFu
#define EXIT_REASON_BUS_LOCK BIT(26)
#define EXIT_REASON_ENCLAVE BIT(27)
#define EXIT_REASON_ENTRY_FAILURE BIT(31)

/* Interruption information: exit, entry and IDT-vectoring share the layout */
#define INTERRUPTION_VECTOR 0xFFu
#define INTERRUPTION_TYPE_SHIFT 8
#define INTERRUPTION_TYPE (7u << INTERRUPTION_TYPE_SHIFT)
#define INTERRUPTION_ERROR_CODE BIT(11)
#define INTERRUPTION_NMI_UNBLOCKING BIT(12)
#define INTERRUPTION_VALID BIT(31)

enum interruption_type {
    TYPE_EXTERNAL_INTERRUPT = 0,
    TYPE_NMI = 2,
    TYPE_HARDWARE_EXCEPTION = 3,
    TYPE_SOFTWARE_INTERRUPT = 4,
    TYPE_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
    TYPE_SOFTWARE_EXCEPTION = 6,            /* INT3, INTO */
    TYPE_OTHER_EVENT = 7,                   /* vector 0: pending MTF */
};

static inline enum interruption_type interruption_type(u32 info)
{
    return (info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
}

/* Interruptibility state */
#define BLOCKING_BY_STI BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_SMI BIT(2)
#define BLOCKING_BY_NMI BIT(3)
/* Ends with the next instruction. */
#define BLOCKING_SHADOW (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)

enum activity_state {
    ACTIVITY_ACTIVE = 0,
    ACTIVITY_HLT = 1,
    ACTIVITY_SHUTDOWN = 2,
    ACTIVITY_WAIT_FOR_SIPI = 3,
};

#define PENDING_DEBUG_ENABLED_BREAKPOINT BIT(12) /* at least one of B0 to B3, bits 3:0 */
#define PENDING_DEBUG_BS BIT(14)

/* Segment access rights, as in a VMCS */
#define AR_TYPE 0xFu
#define AR_S BIT(4)
#define AR_DPL_SHIFT 5
#define AR_DPL (3u << AR_DPL_SHIFT)
#define AR_P BIT(7)
#define AR_L BIT(13)
#define AR_DB BIT(14)
#define AR_G BIT(15)
#define AR_UNUSABLE BIT(16)

/* IA32_VMX_BASIC */
#define VMX_BASIC_REVISION 0x7FFFFFFFull
#define VMX_BASIC_INS_OUTS_INFO BIT(54)
#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56) /* injection with or without one, whatever the vector */

/* IA32_VMX_MISC */
#define VMX_MISC_TIMER_RATE 0x1Full
#define VMX_MISC_ACTIVITY_HLT BIT(6)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI BIT(8)
#define VMX_MISC_ILEN_0_INJECTION BIT(30)

/* IA32_VMX_EPT_VPID_CAP */
#define EPT_CAP_WALK_4 BIT(6)
#define EPT_CAP_WALK_5 BIT(7)
#define EPT_CAP_UC BIT(8)
#define EPT_CAP_WB BIT(14)
#define EPT_CAP_2M BIT(16)
#define EPT_CAP_1G BIT(17)
#define EPT_CAP_INVEPT BIT(20)
#define EPT_CAP_ACCESSED_DIRTY BIT(21)
#define EPT_CAP_INVEPT_ALL BIT(26)
#define VPID_CAP_INVVPID BIT(32)
#define VPID_CAP_INDIVIDUAL_ADDRESS BIT(40)
#define VPID_CAP_SINGLE_CONTEXT BIT(41)
#define VPID_CAP_ALL_CONTEXT BIT(42)
#define VPID_CAP_SINGLE_RETAIN_GLOBALS BIT(43)

enum invvpid_type {
    INVVPID_INDIVIDUAL_ADDRESS = 0,
    INVVPID_SINGLE_CONTEXT = 1,
    INVVPID_SINGLE_RETAIN_GLOBALS = 3,
};

enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXT = 2 };

/* EPT entries and pointer */
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXECUTE BIT(2)
#define EPT_RWX (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_TYPE_SHIFT 3
#define EPT_TYPE ((u64)7 << EPT_TYPE_SHIFT)
#define EPT_LARGE_PAGE BIT(7)
#define EPT_ADDRESS 0x000FFFFFFFFFF000ull
#define EPTP_WALK_4 (3ull << 3)
#define EPTP_ACCESSED_DIRTY BIT(6)

/* Qualification of an EPT violation */
#define EPT_VIOLATION_WRITE BIT(1)
#define EPT_VIOLATION_FETCH BIT(2)

#endif
