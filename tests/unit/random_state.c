#include "random_state.h"

#include <string.h>

#include "fake_machine.h"
#include "vmx/guest_state.h"
#include "stats/report.h"
#include "x86/msr.h"

u32 reason;

bool is_kind(unsigned kind)
{
    enum { FAULT, TRAP, ASYNC, ENTRY, NONE };
    static const u8 kinds[EXIT_REASONS] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = kind,
#include "exit_reasons.def"
    };
    return kinds[reason] == kind;
}

bool may_interrupt_delivery(void)
{
    static const bool delivery[EXIT_REASONS] = {
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = delivery,
#include "exit_reasons.def"
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
    u64 pending = (blocking & SHADOW) && stepping ? PENDING_DEBUG_BS : 0;
    if ((blocking & BLOCKING_BY_MOV_SS) && one_in(4)) /* a breakpoint on what it read */
        pending |= PENDING_DEBUG_ENABLED_BREAKPOINT | BIT(below(4));
    fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, pending);
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

static u64 random_qualification(void)
{
    switch (reason) {
    case EXIT_CR_ACCESS:
        switch (below(4)) {
        case 0: return 3 << 4 | below(0x10000) << 16; /* LMSW */
        case 1: return 2 << 4;                        /* CLTS */
        case 2: return PICK(3, 8) | 1 << 4 | below(16) << 8;
        default: return PICK(0, 3, 4, 8) | below(16) << 8;
        }
    case EXIT_MOV_DR: return below(8) | below(2) << 4 | below(16) << 8;
    case EXIT_IO_INSTRUCTION:
        return PICK(0, 1, 3) | below(2) << 3 | below(2) << 4 | below(2) << 5 |
               PICK(0x20, 0x80, 0x3F8, 0x3FE, 0x64, 0x60, 0x92, 0xCF9, 0xFFFF, EXIT_PORT) << 16;
    case EXIT_TASK_SWITCH: return (below(16) << 3 | (one_in(4) ? below(8) : 0)) | below(4) << 30;
    case EXIT_EXCEPTION_NMI: return one_in(2) ? random64() & 0x1F80F : random_address();
    case EXIT_INSTRUCTION_TIMEOUT: return one_in(8);
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

static u32 random_msr(void)
{
    switch (below(4)) {
    case 0: return (u32)below(0x2000);
    case 1: return one_in(2) ? 0xC0000000 + (u32)below(0x2000) : 0xD0000000 + (u32)below(64);
    default:
        return (u32)PICK(IA32_TSC, IA32_APIC_BASE, IA32_EFER, IA32_PAT, IA32_SYSENTER_ESP,
                         IA32_SYSENTER_CS, IA32_DEBUGCTL, IA32_FS_BASE, IA32_GS_BASE,
                         IA32_VMX_BASIC, IA32_FEATURE_CONTROL, 0x12345678, IA32_MISC_ENABLE,
                         IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSMASK0, IA32_MTRR_DEF_TYPE,
                         IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX4K_C0000,
                         IA32_XSS, IA32_TSC_ADJUST, MSR_TEST_CTRL, 0xCF, IA32_BIOS_UPDT_TRIG,
                         IA32_BIOS_SIGN_ID, 0x2A0, 0x150, 0x40000001, IA32_USER_MSR_CTL,
                         IA32_KERNEL_GS_BASE, 0xD0000000);
    }
}

/* What a control register may get: mostly a bit other than now. */
static u64 random_control(u64 now)
{
    u64 value = now ^ (one_in(4) ? CR0_PG : BIT(below(32)));
    return one_in(3) ? value ^ BIT(below(64)) : value;
}

static void random_control_operand(void)
{
    u64 qualification = fake_get(EXIT_QUALIFICATION), value = random_address();
    if (qualification >> 4 & 3) /* not a MOV to a control register */
        return;
    switch (qualification & 15) {
    case 0: value = random_control(fake_get(CR0_READ_SHADOW)); break;
    case 4: value = random_control(fake_get(CR4_READ_SHADOW)); break;
    case 8: value = below(20); break;
    default: value = one_in(2) ? fake_get(GUEST_CR3) ^ (random64() & 0x8000000000000018) : value;
    }
    if (!one_in(8))
        vcpu_set_gpr(&fake_vcpu, qualification >> 8 & 15, value);
}

static void random_value(void)
{
    u64 value = one_in(2) ? random_address() : random64();
    switch ((u32)fake_vcpu.gpr[RCX]) {
    case IA32_EFER: value = fake_get(GUEST_IA32_EFER) ^ BIT(below(13)); break;
    case IA32_PAT: value = 0x0007040600070406 ^ (random64() & 0x0707); break;
    case IA32_MISC_ENABLE: value = random64() & 0x4007C1889; break;
    case IA32_MTRR_DEF_TYPE: value = PICK(0xC06, 0x806, 0, 0xC00, 0x406); break;
    case IA32_APIC_BASE: value = PICK(0x900, 0xD00, 0x800, 0, 0xFEE00900); break;
    case IA32_XSS: value = PICK(0, 0x1800, 0x100, 0x2000); break;
    case IA32_DEBUGCTL: value = random64() & 0xFFC7 & (one_in(2) ? 3 : ~0ull); break;
    default: break;
    }
    fake_vcpu.gpr[RAX] = (u32)value;
    fake_vcpu.gpr[RDX] = value >> 32;
}

static void random_registers(void)
{
    for (unsigned i = 0; i < GPRS; i++)
        fake_vcpu.gpr[i] = one_in(2) ? random64() : random_address();
    fake_set(GUEST_RSP, one_in(2) ? FAKE_RSP : random_address());
    /* Values that instructions accept now and then. */
    if (one_in(3))
        fake_vcpu.gpr[RAX] = PICK(1, 3, 7, 0xD01, 0x80000011, 0x11, 0x2000, 0x620, 0x400);
    if (one_in(3))
        fake_vcpu.gpr[RDX] = 0;
    if (one_in(3))
        fake_vcpu.gpr[RCX] = below(200);
    if (reason == EXIT_CR_ACCESS)
        random_control_operand();
    if (reason == EXIT_RDMSR || reason == EXIT_WRMSR || reason == EXIT_WRMSRNS_IMMEDIATE)
        fake_vcpu.gpr[RCX] = random_msr();
    if ((reason == EXIT_WRMSR || reason == EXIT_WRMSRNS_IMMEDIATE) && !one_in(4))
        random_value();
    if (reason == EXIT_CPUID && !one_in(4)) {
        fake_vcpu.gpr[RAX] = PICK(0, 1, 7, 0xD, 0x80000000, 0x80000001, 0x80000008, 0x40000000) ^
                             (one_in(4) ? random64() & 0xF : 0);
        if (one_in(4))
            fake_vcpu.gpr[RAX] =
                PICK(LEAF_EXITS, LEAF_CYCLES, LEAF_REASON_EXITS, LEAF_REASON_CYCLES, LEAF_INFO,
                     LEAF_REASON_EXITS64, LEAF_REASON_MIN, LEAF_REASON_MAX, LEAF_WINDOW, LEAF_MARK,
                     0x4FFFFF11);
        fake_vcpu.gpr[RCX] = below(4);
    }
    if (reason == EXIT_XSETBV && !one_in(4))
        fake_vcpu.gpr[RCX] = 0;
}

/* Instructions that fault at CPL 3 before they could exit. */
static bool is_privileged(void)
{
    static const u8 privileged[] = {
        EXIT_HLT,
        EXIT_INVD,
        EXIT_INVLPG,
        EXIT_RDMSR,
        EXIT_WRMSR,
        EXIT_CR_ACCESS,
        EXIT_WBINVD,
        EXIT_XSAVES,
        EXIT_XRSTORS,
        EXIT_MWAIT,
        EXIT_MONITOR,
        EXIT_RDMSR_IMMEDIATE,
        EXIT_WRMSRNS_IMMEDIATE,
        EXIT_RDMSRLIST,
        EXIT_WRMSRLIST,
    };
    return memchr(privileged, (int)reason, sizeof(privileged));
}

static bool is_64bit_only(void)
{
    return (reason >= EXIT_RDMSRLIST && reason <= EXIT_UWRMSR) || reason >= EXIT_RDMSR_IMMEDIATE;
}

/* A task that a fault found without a stack: its handler is a task, too. */
static bool waits_for_task(void)
{
    u64 ss = fake_get(GUEST_SS_ACCESS_RIGHTS);
    return (ss & AR_UNUSABLE) && (ss & AR_DPL) != AR_DPL && !(fake_get(GUEST_IA32_EFER) & EFER_LMA);
}

/* Those that need protected mode, or what only it has. */
static bool fits_mode(void)
{
    if (waits_for_task() && reason != EXIT_TASK_SWITCH)
        return false;
    bool long_mode = fake_get(GUEST_IA32_EFER) & EFER_LMA;
    bool protected = fake_get(GUEST_CR0) & CR0_PE, v8086 = fake_get(GUEST_RFLAGS) & RFLAGS_VM;
    if (is_privileged() && (fake_get(GUEST_SS_ACCESS_RIGHTS) & AR_DPL))
        return false;
    if (reason == EXIT_TASK_SWITCH && (long_mode || !protected))
        return false;
    if (reason == EXIT_LDTR_TR_ACCESS && (!protected || v8086))
        return false;
    return !is_64bit_only() || (long_mode && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L));
}

static void random_guest(void)
{
    if (one_in(4) || !fits_mode()) {
        do
            random_mode();
        while (!fits_mode());
        fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
        fake_vcpu.halted = fake_vcpu.parked = false;
    }
    random_run();
}

static bool uses_tables(void)
{
    return reason == EXIT_TASK_SWITCH || reason == EXIT_LDTR_TR_ACCESS ||
           reason == EXIT_GDTR_IDTR_ACCESS;
}

static bool uses_code(void)
{
    return reason == EXIT_IO_INSTRUCTION || reason == EXIT_RDRAND || reason == EXIT_RDSEED ||
           reason == EXIT_UMWAIT || reason == EXIT_TPAUSE || reason >= EXIT_URDMSR || uses_tables();
}

/* MSRs in a list. */
static void random_msr_list(void)
{
    u64 numbers[2] = {random_msr(), random_msr()};
    fake_vcpu.gpr[RCX] = one_in(8) ? 0 : 1 + below(3);
    if (one_in(4))
        return;
    fake_vcpu.gpr[RSI] = 0x8000;
    fake_vcpu.gpr[RDI] = 0x9000;
    fake_ram_write(0x8000, numbers, sizeof(numbers));
}

/* Where the last exit has put it to sleep, or an entry would find it in a state that it left. */
static void random_awakening(void)
{
    if (fake_get(GUEST_ACTIVITY_STATE) != ACTIVITY_HLT)
        return;
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    fake_vcpu.halted = fake_vcpu.parked = false;
}

/* As take_interrupt() leaves it. */
static void let_interrupt_wait(void)
{
    struct controls *c = &fake_vcpu.controls;
    c->pin &= ~(u32)PIN_EXTERNAL_INTERRUPT_EXITING;
    c->proc |= PROC_INTERRUPT_WINDOW_EXITING;
    fake_set(PIN_BASED_CONTROLS, c->pin);
    fake_set(PRIMARY_PROCBASED_CONTROLS, c->proc);
    fake_vcpu.interrupt_waits = true;
}

void random_exit(void)
{
    fake_exit(reason, random_qualification(), 0);
    random_awakening();
    random_guest();
    if (uses_tables())
        random_tables();
    if (uses_code())
        random_code(reason);
    random_shadow();
    random_registers();
    fake_set(VM_EXIT_INSTRUCTION_INFO, random_instruction_information());
    fake_set(GUEST_PHYSICAL_ADDRESS,
             PICK(0, 0x1FF000, 0x200000, 0xFEC00000, 1ull << 39, 1ull << 45));
    fake_set(GUEST_LINEAR_ADDRESS, random_address());
    if (is_kind(KIND_FAULT) || (is_kind(KIND_NONE) && one_in(2)))
        fake_set(VM_EXIT_INSTRUCTION_LENGTH, 1 + below(15));
    if (may_interrupt_delivery() && one_in(2))
        random_interrupted_delivery();
    fake_waiting_vector = one_in(2) ? (int)(32 + below(224)) : -1;

    switch (reason) {
    case EXIT_RDMSRLIST:
    case EXIT_WRMSRLIST: random_msr_list(); break;
    case EXIT_EXCEPTION_NMI: random_exception_exit(); break;
    case EXIT_INTERRUPT_WINDOW:
        fake_set(GUEST_RFLAGS, fake_get(GUEST_RFLAGS) | RFLAGS_IF);
        fake_set(GUEST_INTERRUPTIBILITY, fake_get(GUEST_INTERRUPTIBILITY) & ~SHADOW);
        if (one_in(2))
            let_interrupt_wait();
        break;
    case EXIT_NMI_WINDOW:
        fake_set(GUEST_INTERRUPTIBILITY, fake_get(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_STI);
        if (!fake_vcpu.guest_nmis && !fake_vcpu.machine_check)
            fake_vcpu.guest_nmis = (u8)(1 + below(2));
        set_nmi_window(&fake_vcpu, true);
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
