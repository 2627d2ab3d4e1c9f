/*
 * Of what a reason says more than its number: the detail of an exit, from fields that VM exits
 * write and handlers do not change, and from what entry.asm kept of the guest's registers.
 */
#include "sites/sites.h"
#include "vmx/access.h"
#include "x86/registers.h"
#include "x86/vmx.h"

#define REGISTER_OPERAND_SHIFT 28 /* instruction information of INVPCID and its kind */
#define INSTRUCTION_IDENTITY_SHIFT 28
#define IO_DETAIL 0xFFFF001Full /* port, string, direction, width */
#define CR_DETAIL 0x3Full       /* register, kind of access */
#define DR_DETAIL 0x17ull       /* register, direction */
#define APIC_OFFSET 0xFFFull
#define TASK_SOURCE_SHIFT 30
#define SELF_SEEN_NMI 0x100u

enum detail {
    NO_DETAIL,
    EVENT_AT_EXIT,  /* vector, and whether it is an NMI */
    EVENT_AT_ENTRY, /* vector of what the handler injected */
    CPUID_LEAF,     /* subleaf above the leaf */
    MSR_NUMBER,
    IO_PORT,
    CONTROL_REGISTER,
    DEBUG_REGISTER,
    GUEST_PAGE,       /* with the kind of access */
    QUALIFICATION_12, /* APIC offset, vector */
    TASK_SWITCH_KIND,
    INSTRUCTION_IDENTITY,
    IF_FLAG,
    RAX_VALUE,
    REGISTER_OPERAND,
};

#define ASYNCHRONOUS 0x80 /* beside a detail: RIP is a victim's, not the cause's */

static const u8 details[EXIT_REASONS] = {
    [EXIT_EXCEPTION_NMI] = EVENT_AT_EXIT,
    [EXIT_EXTERNAL_INTERRUPT] = EVENT_AT_ENTRY | ASYNCHRONOUS,
    [EXIT_INIT_SIGNAL] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_SIPI] = QUALIFICATION_12 | ASYNCHRONOUS,
    [EXIT_IO_SMI] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_OTHER_SMI] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_INTERRUPT_WINDOW] = EVENT_AT_ENTRY | ASYNCHRONOUS,
    [EXIT_NMI_WINDOW] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_TASK_SWITCH] = TASK_SWITCH_KIND,
    [EXIT_CPUID] = CPUID_LEAF,
    [EXIT_HLT] = IF_FLAG,
    [EXIT_VMCALL] = RAX_VALUE,
    [EXIT_CR_ACCESS] = CONTROL_REGISTER,
    [EXIT_MOV_DR] = DEBUG_REGISTER,
    [EXIT_IO_INSTRUCTION] = IO_PORT,
    [EXIT_RDMSR] = MSR_NUMBER,
    [EXIT_WRMSR] = MSR_NUMBER,
    [EXIT_MWAIT] = RAX_VALUE,
    [EXIT_MONITOR_TRAP_FLAG] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_APIC_ACCESS] = QUALIFICATION_12,
    [EXIT_VIRTUALIZED_EOI] = QUALIFICATION_12,
    [EXIT_GDTR_IDTR_ACCESS] = INSTRUCTION_IDENTITY,
    [EXIT_LDTR_TR_ACCESS] = INSTRUCTION_IDENTITY,
    [EXIT_EPT_VIOLATION] = GUEST_PAGE,
    [EXIT_EPT_MISCONFIGURATION] = GUEST_PAGE,
    [EXIT_PREEMPTION_TIMER] = NO_DETAIL | ASYNCHRONOUS,
    [EXIT_APIC_WRITE] = QUALIFICATION_12,
    [EXIT_INVEPT] = REGISTER_OPERAND,
    [EXIT_INVVPID] = REGISTER_OPERAND,
    [EXIT_INVPCID] = REGISTER_OPERAND,
    [EXIT_UMWAIT] = RAX_VALUE,
    [EXIT_TPAUSE] = RAX_VALUE,
};

static u64 event_detail(enum vmcs_field information)
{
    u32 info = (u32)vmread(information);
    if (!(info & INTERRUPTION_VALID))
        return 0;
    bool nmi = (info & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT == TYPE_NMI;
    return (info & INTERRUPTION_VECTOR) | (nmi ? SELF_SEEN_NMI : 0);
}

static u64 detail_of(const struct vcpu *vcpu, enum detail detail)
{
    switch (detail) {
    case NO_DETAIL: return 0;
    case EVENT_AT_EXIT: return event_detail(VM_EXIT_INTERRUPTION_INFO);
    case EVENT_AT_ENTRY: return event_detail(VM_ENTRY_INTERRUPTION_INFO);
    case CPUID_LEAF: return vcpu->seen.eax | (u64)vcpu->seen.ecx << 32;
    case MSR_NUMBER: return vcpu->seen.ecx;
    case IO_PORT: return vmread(EXIT_QUALIFICATION) & IO_DETAIL;
    case CONTROL_REGISTER: return vmread(EXIT_QUALIFICATION) & CR_DETAIL;
    case DEBUG_REGISTER: return vmread(EXIT_QUALIFICATION) & DR_DETAIL;
    case GUEST_PAGE:
        return (vmread(GUEST_PHYSICAL_ADDRESS) & ~0xFFFull) |
               (vmread(EXIT_QUALIFICATION) & EPT_ACCESS);
    case QUALIFICATION_12: return vmread(EXIT_QUALIFICATION) & APIC_OFFSET;
    case TASK_SWITCH_KIND: return vmread(EXIT_QUALIFICATION) >> TASK_SOURCE_SHIFT & 3;
    case INSTRUCTION_IDENTITY:
        return vmread(VM_EXIT_INSTRUCTION_INFO) >> INSTRUCTION_IDENTITY_SHIFT & 3;
    case IF_FLAG: return (vmread(GUEST_RFLAGS) & RFLAGS_IF) != 0;
    case RAX_VALUE: return vcpu->gpr[RAX];
    case REGISTER_OPERAND:
        return vcpu_gpr(vcpu, vmread(VM_EXIT_INSTRUCTION_INFO) >> REGISTER_OPERAND_SHIFT & 15);
    }
    return 0;
}

/* Raw words that tell all, and do not differ between exits of one site more than they must. */
u16 site_source(unsigned reason)
{
    bool asynchronous = details[reason] & ASYNCHRONOUS;
    switch ((enum detail)(details[reason] & ~ASYNCHRONOUS)) {
    case NO_DETAIL: return asynchronous ? SOURCE_NOTHING_ASYNCHRONOUS : SOURCE_NOTHING;
    case EVENT_AT_EXIT: return VM_EXIT_INTERRUPTION_INFO;
    case EVENT_AT_ENTRY: return SOURCE_INJECTED;
    case CPUID_LEAF: return SOURCE_LEAF;
    case MSR_NUMBER: return SOURCE_MSR;
    case IO_PORT:
    case CONTROL_REGISTER:
    case DEBUG_REGISTER: return EXIT_QUALIFICATION;
    case GUEST_PAGE: return SOURCE_PAGE;
    case IF_FLAG: return SOURCE_IF;
    case RAX_VALUE: return SOURCE_RAX;
    case QUALIFICATION_12: return asynchronous ? SOURCE_NOT_RAW : EXIT_QUALIFICATION;
    default: return SOURCE_NOT_RAW;
    }
}

static enum site_mode legacy_mode(u64 seen, bool db)
{
    bool long_mode = seen & (u64)ENTRY_IA32E_MODE_GUEST << SEEN_IA32E_SHIFT;
    if (long_mode)
        return SITE_COMPATIBILITY;
    if (!(seen & (u64)CR0_PE << SEEN_PE_SHIFT))
        return SITE_REAL;
    if (seen & RFLAGS_VM)
        return SITE_V8086;
    return db ? SITE_32 : SITE_16;
}

static u8 mode_of(u64 seen)
{
    enum site_mode mode = seen & SEEN_LEGACY ? legacy_mode(seen, seen & AR_DB) : SITE_64;
    u8 ring = (seen >> 32 & AR_DPL) >> AR_DPL_SHIFT;
    return (u8)(mode << SITE_MODE_SHIFT | ring);
}

struct site_key site_of_exit(const struct vcpu *vcpu)
{
    u32 reason = vcpu->exit_reason & EXIT_REASON_BASIC;
    u8 what = reason < EXIT_REASONS ? details[reason] : NO_DETAIL;
    struct site_key key = {
        .detail = detail_of(vcpu, what & ~ASYNCHRONOUS),
        .reason = reason < EXIT_REASONS ? (u8)reason : EXIT_REASONS,
        .mode = mode_of(vcpu->seen.mode),
        .used = 1,
    };
    bool whole = (key.mode & SITE_RING) != 3 || vcpu->recorder.user_rips;
    if (!(what & ASYNCHRONOUS))
        key.rip = whole ? vcpu->seen.rip : vcpu->seen.rip & 0xFFF;
    return key;
}
