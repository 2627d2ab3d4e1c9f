#include "random_state.h"

#include <string.h>

#include "fake_machine.h"
#include "x86/msr.h"

u64 random_state;

u64 random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static u64 below(u64 limit)
{
    return random64() % limit;
}

bool one_in(u64 n)
{
    return below(n) == 0;
}

#define PICK(...)                                                                                  \
    ({                                                                                             \
        static const u64 choices_[] = {__VA_ARGS__};                                               \
        choices_[below(ARRAY_SIZE(choices_))];                                                     \
    })

u32 reason;

bool is_kind(unsigned kind)
{
    enum { FAULT, TRAP, ASYNC, ENTRY, NONE };
    static const u8 kinds[EXIT_REASONS] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = kind,
#include "exit_reasons.def"
#undef EXIT_REASON
    };
    return kinds[reason] == kind;
}

static bool may_interrupt_delivery(void)
{
    static const bool delivery[EXIT_REASONS] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = delivery,
#include "exit_reasons.def"
#undef EXIT_REASON
    };
    return delivery[reason] || reason == EXIT_TASK_SWITCH;
}

static u32 exception_info(unsigned vector)
{
    u32 codes = BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17);
    bool code = (codes >> vector & 1) && (fake_get(GUEST_CR0) & CR0_PE);
    return (u32)INTERRUPTION_VALID | TYPE_HARDWARE_EXCEPTION << 8 | vector |
           (code ? (u32)INTERRUPTION_ERROR_CODE : 0);
}

static u32 random_exception(void)
{
    return exception_info((unsigned)PICK(0, 1, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19));
}

static void random_shadow(void)
{
    u64 rflags = fake_get(GUEST_RFLAGS), blocking = 0;
    if (one_in(3))
        blocking |= BLOCKING_BY_MOV_SS;
    else if ((rflags & RFLAGS_IF) && one_in(2))
        blocking |= BLOCKING_BY_STI;
    if (one_in(4))
        blocking |= BLOCKING_BY_NMI;
    fake_set(GUEST_INTERRUPTIBILITY, blocking);
    /* A single step that the shadow holds back is pending. */
    bool stepping = (rflags & RFLAGS_TF) && !(fake_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    if ((blocking & SHADOW) && stepping)
        fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

/* The event whose delivery the exit interrupted: the guest was able to take it. */
static void random_interrupted_delivery(void)
{
    u64 blocking = fake_get(GUEST_INTERRUPTIBILITY);
    u32 info = 0;
    switch (below(6)) {
    case 0: /* an external interrupt */
        info = TYPE_EXTERNAL_INTERRUPT << 8 | (u32)(32 + below(224));
        fake_set(GUEST_RFLAGS, fake_get(GUEST_RFLAGS) | RFLAGS_IF);
        blocking &= ~SHADOW;
        break;
    case 1:
        info = TYPE_NMI << 8 | VECTOR_NMI;
        blocking = (blocking & ~SHADOW) | BLOCKING_BY_NMI;
        break;
    case 2: info = random_exception(); break;
    case 3: info = TYPE_SOFTWARE_INTERRUPT << 8 | (u32)below(256); break;
    case 4: info = TYPE_PRIVILEGED_SOFTWARE_EXCEPTION << 8 | VECTOR_DB; break;
    default: info = TYPE_SOFTWARE_EXCEPTION << 8 | (u32)PICK(VECTOR_BP, VECTOR_OF); break;
    }
    if (!(blocking & SHADOW))
        fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    fake_set(GUEST_INTERRUPTIBILITY, blocking);
    fake_set(IDT_VECTORING_INFO, info | INTERRUPTION_VALID | (random64() & BIT(12)));
    fake_set(IDT_VECTORING_ERROR_CODE, random64() & 0xFFFF);
    fake_set(VM_EXIT_INSTRUCTION_LENGTH, 1 + below(15));
}

/* Exits that come from outside may find the guest asleep. */
static void random_sleep(void)
{
    bool can_sleep = !(fake_get(GUEST_SS_ACCESS_RIGHTS) & AR_DPL) && !one_in(2);
    if (!can_sleep || (fake_get(GUEST_INTERRUPTIBILITY) & SHADOW))
        return;
    fake_set(GUEST_RFLAGS, fake_get(GUEST_RFLAGS) & ~RFLAGS_TF);
    fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    bool woken_by_emulator = one_in(3); /* Bochs saves `active` */
    fake_set(GUEST_ACTIVITY_STATE, woken_by_emulator ? ACTIVITY_ACTIVE : ACTIVITY_HLT);
    fake_vcpu.halted = fake_vcpu.controls.proc & PROC_HLT_EXITING;
}

static void random_exception_exit(void)
{
    u32 info = random_exception();
    bool nmi = one_in(4), software = !nmi && one_in(3);
    if (nmi) {
        info = (u32)INTERRUPTION_VALID | TYPE_NMI << 8 | VECTOR_NMI;
        random_sleep();
    } else if (software) {
        info = (u32)INTERRUPTION_VALID |
               (u32)PICK(TYPE_SOFTWARE_EXCEPTION << 8 | VECTOR_BP,
                         TYPE_SOFTWARE_EXCEPTION << 8 | VECTOR_OF,
                         TYPE_PRIVILEGED_SOFTWARE_EXCEPTION << 8 | VECTOR_DB);
        fake_set(VM_EXIT_INSTRUCTION_LENGTH, 1 + below(15));
    }
    if (!nmi && one_in(4))
        info |= INTERRUPTION_NMI_UNBLOCKING;
    fake_set(VM_EXIT_INTERRUPTION_INFO, info);
    fake_set(VM_EXIT_INTERRUPTION_ERROR_CODE, random64() & 0xFFFF);
    if (nmi)
        fake_set(IDT_VECTORING_INFO, 0);
}

static u64 random_address(void)
{
    return PICK(0, 0x1000, 0x8000, 0xFFFFE, 0x1FFFFC, 0x200000, 0xFFFFFFFC, 0x7FFFFFFFF000,
                0x800000000000, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFFC);
}

static u64 random_qualification(void)
{
    switch (reason) {
    case EXIT_CR_ACCESS:
        switch (below(4)) {
        case 0: return 3 << 4 | random64() << 16 % 32; /* LMSW */
        case 1: return 2 << 4;                         /* CLTS */
        case 2: return PICK(3, 8) | 1 << 4 | below(16) << 8;
        default: return PICK(0, 3, 4, 8) | below(16) << 8;
        }
    case EXIT_MOV_DR: return below(8) | below(2) << 4 | below(16) << 8;
    case EXIT_IO_INSTRUCTION:
        return PICK(0, 1, 3) | below(2) << 3 | below(2) << 4 | below(2) << 5 |
               PICK(0x20, 0x80, 0x3F8, 0xF4, 0xFFFF) << 16;
    case EXIT_TASK_SWITCH: return below(0x100) | below(4) << 30;
    case EXIT_EPT_VIOLATION: return below(0x1000) | (random64() & BIT(12));
    case EXIT_SIPI: return below(256);
    default: return random_address();
    }
}

static u64 random_instruction_information(void)
{
    u64 info = random64() & 0xFFFFFFFF;
    u64 address_size = below(3), segment = below(6);
    return (info & ~(7ull << 7 | 7ull << 15)) | address_size << 7 | segment << 15;
}

static void random_registers(void)
{
    for (unsigned i = 0; i < GPRS; i++)
        fake_vcpu.gpr[i] = one_in(2) ? random64() : random_address();
    if (reason == EXIT_RDMSR || reason == EXIT_WRMSR)
        fake_vcpu.gpr[RCX] = PICK(IA32_TSC, IA32_APIC_BASE, IA32_EFER, IA32_PAT, IA32_SYSENTER_ESP,
                                  IA32_SYSENTER_CS, IA32_DEBUGCTL, IA32_FS_BASE, IA32_GS_BASE,
                                  IA32_VMX_BASIC, IA32_FEATURE_CONTROL, 0x12345678);
    /* Values that instructions accept now and then. */
    if (one_in(3))
        fake_vcpu.gpr[RAX] = PICK(1, 7, 0xD01, 0x80000011, 0x11, 0x2000, 0x620, 0x400);
    if (one_in(3))
        fake_vcpu.gpr[RDX] = 0;
    fake_set(GUEST_RSP, one_in(2) ? FAKE_RSP : random_address());
}

/* Instructions that fault at CPL 3 before they could exit. */
static bool is_privileged(void)
{
    static const u8 privileged[] = {
        EXIT_HLT,       EXIT_INVD,      EXIT_INVLPG,  EXIT_RDMSR,           EXIT_WRMSR,
        EXIT_CR_ACCESS, EXIT_MOV_DR,    EXIT_WBINVD,  EXIT_XSAVES,          EXIT_XRSTORS,
        EXIT_MWAIT,     EXIT_MONITOR,   EXIT_INVPCID, EXIT_RDMSR_IMMEDIATE, EXIT_WRMSRNS_IMMEDIATE,
        EXIT_RDMSRLIST, EXIT_WRMSRLIST,
    };
    return memchr(privileged, (int)reason, sizeof(privileged));
}

static bool is_64bit_only(void)
{
    return (reason >= EXIT_RDMSRLIST && reason <= EXIT_UWRMSR) || reason >= EXIT_RDMSR_IMMEDIATE;
}

static bool fits_mode(void)
{
    if (is_privileged() && (fake_get(GUEST_SS_ACCESS_RIGHTS) & AR_DPL))
        return false;
    return !is_64bit_only() || (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L);
}

static void random_guest(void)
{
    do
        fake_guest(below(FAKE_MODES));
    while (!fits_mode());
    bool long_mode = fake_get(GUEST_IA32_EFER) & EFER_LMA;
    fake_set(GUEST_RIP, PICK(FAKE_RIP, 0x1FFFFF, 0xFFFFFFFF, 0xFFFE));
    if (long_mode && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L) && one_in(3))
        fake_set(GUEST_RIP, 0x00007FFFFFFFFFFF);
    u64 flags = RFLAGS_IF | RFLAGS_RF | RFLAGS_TF | RFLAGS_DF | RFLAGS_CF | RFLAGS_ID;
    fake_set(GUEST_RFLAGS, fake_get(GUEST_RFLAGS) | (random64() & flags));
    fake_set(GUEST_IA32_DEBUGCTL, one_in(4) ? DEBUGCTL_BTF : 0);
    fake_set(GUEST_GDTR_LIMIT, PICK(0, 0x7F, 0xFFFF));
    for (unsigned i = 0; i < 256; i++) /* descriptors, operands, instructions */
        fake_ram[below(0x10000)] = (u8)random64();
}

/* An MSR as the immediate of an instruction at RIP, or in a list. */
static void random_msr_operands(void)
{
    u32 msr = PICK(IA32_EFER, IA32_PAT, IA32_FS_BASE, IA32_DEBUGCTL, IA32_VMX_BASIC);
    const u8 code[] = {0xC4,    PICK(0xC7, 0xE7), PICK(0x7A, 0x7B), 0xF6,           0xC0 | below(8),
                       (u8)msr, (u8)(msr >> 8),   (u8)(msr >> 16),  (u8)(msr >> 24)};
    if (fake_get(GUEST_RIP) == FAKE_RIP)
        memcpy(&fake_ram[FAKE_RIP], code, sizeof(code));
    if (!one_in(2) || (reason != EXIT_RDMSRLIST && reason != EXIT_WRMSRLIST))
        return;
    fake_vcpu.gpr[RCX] |= 1 + below(2);
    fake_vcpu.gpr[RSI] = 0x8000;
    fake_vcpu.gpr[RDI] = 0x9000;
    memset(&fake_ram[0x8000], 0, 512);
    memcpy(&fake_ram[0x8000], &msr, sizeof(msr));
    memcpy(&fake_ram[0x8008], &msr, sizeof(msr));
}

void random_exit(void)
{
    fake_exit(reason, random_qualification(), 0);
    random_guest();
    random_shadow();
    random_registers();
    fake_set(VM_EXIT_INSTRUCTION_INFO, random_instruction_information());
    fake_set(GUEST_PHYSICAL_ADDRESS,
             PICK(0, 0x1FF000, 0x200000, 0xFEC00000, 1ull << 39, 1ull << 45));
    fake_set(GUEST_LINEAR_ADDRESS, random_address());
    if (is_kind(KIND_FAULT))
        fake_set(VM_EXIT_INSTRUCTION_LENGTH, 1 + below(15));
    if (may_interrupt_delivery() && one_in(2))
        random_interrupted_delivery();
    fake_waiting_vector = one_in(2) ? (int)(32 + below(224)) : -1;

    switch (reason) {
    case EXIT_RDMSRLIST:
    case EXIT_WRMSRLIST:
    case EXIT_URDMSR:
    case EXIT_UWRMSR:
    case EXIT_RDMSR_IMMEDIATE:
    case EXIT_WRMSRNS_IMMEDIATE: random_msr_operands(); break;
    case EXIT_EXCEPTION_NMI: random_exception_exit(); break;
    case EXIT_INTERRUPT_WINDOW:
        fake_set(GUEST_RFLAGS, fake_get(GUEST_RFLAGS) | RFLAGS_IF);
        fake_set(GUEST_INTERRUPTIBILITY, fake_get(GUEST_INTERRUPTIBILITY) & ~SHADOW);
        if (one_in(2))
            fake_vcpu.interrupt_waits = true;
        break;
    case EXIT_NMI_WINDOW:
        fake_set(GUEST_INTERRUPTIBILITY, fake_get(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_STI);
        random_sleep();
        break;
    case EXIT_EXTERNAL_INTERRUPT:
    case EXIT_PREEMPTION_TIMER: random_sleep(); break;
    case EXIT_SIPI:
        fake_vcpu.index = 1;
        fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
        fake_set(GUEST_INTERRUPTIBILITY, 0);
        fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
        fake_guest(GUEST_16BIT);
        fake_set(GUEST_RIP, 0xFFF0);
        break;
    case EXIT_INIT_SIGNAL: fake_vcpu.index = 1; break;
    default: break;
    }
}
