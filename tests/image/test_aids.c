#include "test_aids.h"
#include "lib/print.h"
#include "host/frames.h"
#include "host/paging.h"
#include "vmx/access.h"
#include "vmx/capabilities.h"
#include "memory/memory.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* The guest-physical page whose EPT entry is spoiled; docs/exit-reasons.md tells the guest. */
#define SPOILED_PAGE 0x7000
#define APIC_PAGE 0xFEE00000

#define EPT_SUB_PAGE_WRITE BIT(61)

/* Sets controls in one word, after asking the CPU for them. */
static u32 with_control(enum control_word word, u32 old, u32 bits, const char *aid)
{
    if (bits & ~vmx_capabilities.word[word].allowed)
        fatal("test=%s: this CPU lacks the controls for it", aid);
    return old | bits;
}

/* What a 4 KiB page has of the entry that maps it, however large. */
static u64 own_entry(u64 page)
{
    unsigned level;
    return page | (*ept_entry(&guest_ept, page, &level) & (EPT_RWX | EPT_TYPE));
}

static void set_entry(u64 page, u64 entry)
{
    ept_set(&guest_ept, page, entry);
    flush_ept();
}

static u64 unspoiled;

static void spoil_entry(u64 entry)
{
    unspoiled = own_entry(SPOILED_PAGE);
    set_entry(SPOILED_PAGE, entry);
}

static void use_virtual_apic_page(struct vcpu *vcpu, void *page)
{
    struct controls *c = &vcpu->controls;
    c->proc =
        with_control(WORD_PROC, c->proc, PROC_USE_TPR_SHADOW, "virtual-apic or tpr-threshold") &
        ~(u32)(PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
    vmwrite(VIRTUAL_APIC_ADDRESS, frame_physical(page));
}

/* MOV to CR8 with a priority class below 4 then exits: reason 43. */
static void arm_tpr_threshold(struct vcpu *vcpu)
{
    u8 *page = frame_alloc();
    page[0x80] = 0x80; /* the TPR */
    use_virtual_apic_page(vcpu, page);
    vmwrite(TPR_THRESHOLD, 4);
}

/* Reasons 44, 45 and 56. The virtual-APIC page begins as a copy of the real one's registers. */
static void arm_virtual_apic(struct vcpu *vcpu)
{
    struct controls *c = &vcpu->controls;
    u8 *page = frame_alloc();
    outb(0x21, 0xFF); /* no interrupt may come while IF = 0: see take_interrupt() */
    outb(0xA1, 0xFF);
    for (u32 offset = 0x20; offset < 0x400; offset += 16)
        *(u32 *)(page + offset) = *(volatile u32 *)physical(APIC_PAGE + offset);
    use_virtual_apic_page(vcpu, page);
    c->proc2 = with_control(WORD_PROC2, c->proc2,
                            PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_APIC_REGISTER_VIRTUALIZATION |
                                PROC2_VIRTUAL_INTERRUPT_DELIVERY,
                            "virtual-apic");
    vmwrite(APIC_ACCESS_ADDRESS, APIC_PAGE);
    set_entry(APIC_PAGE, own_entry(APIC_PAGE)); /* a 4 KiB page, as the SDM asks */
    vmwrite(EOI_EXIT_BITMAP_0, ~0ull);
    vmwrite(EOI_EXIT_BITMAP_1, ~0ull);
    vmwrite(EOI_EXIT_BITMAP_2, ~0ull);
    vmwrite(EOI_EXIT_BITMAP_3, ~0ull);
}

/* The first access to the page exits with reason 49. */
static void arm_ept_misconfiguration(struct vcpu *vcpu)
{
    (void)vcpu;
    spoil_entry(SPOILED_PAGE | EPT_WRITE); /* writable but not readable */
}

#define TIMER_TICKS 100000

/* Reason 52, whenever the guest runs so long without another exit. */
static void arm_preemption_timer(struct vcpu *vcpu)
{
    struct controls *c = &vcpu->controls;
    c->pin = with_control(WORD_PIN, c->pin, PIN_PREEMPTION_TIMER, "preemption-timer");
    vmwrite(VMX_PREEMPTION_TIMER_VALUE,
            TIMER_TICKS >> (vmx_capabilities.misc & VMX_MISC_TIMER_RATE));
}

/* Reason 62 at the first write to a page that is not dirty yet: the log is full from the start. */
static void arm_pml(struct vcpu *vcpu)
{
    struct controls *c = &vcpu->controls;
    c->proc2 = with_control(WORD_PROC2, c->proc2, PROC2_ENABLE_PML, "pml");
    vmwrite(EPT_POINTER, vmread(EPT_POINTER) | EPTP_ACCESSED_DIRTY);
    vmwrite(PML_ADDRESS, frame_physical(frame_alloc()));
    vmwrite(GUEST_PML_INDEX, 0xFFFF);
}

/* Reason 66 at the first write to the page: the sub-page table has no entry for it. */
static void arm_spp(struct vcpu *vcpu)
{
    struct controls *c = &vcpu->controls;
    c->proc2 = with_control(WORD_PROC2, c->proc2, PROC2_SUB_PAGE_WRITE, "spp");
    vmwrite(SPP_TABLE_POINTER, frame_physical(frame_alloc()));
    spoil_entry((own_entry(SPOILED_PAGE) & ~EPT_WRITE) | EPT_SUB_PAGE_WRITE);
}

/* Reason 37 before the first instruction: a pending MTF exit is injected. */
static void arm_mtf(struct vcpu *vcpu)
{
    (void)vcpu;
    with_control(WORD_PROC, 0, PROC_MONITOR_TRAP_FLAG, "mtf");
    vmwrite(VM_ENTRY_INTERRUPTION_INFO,
            INTERRUPTION_VALID | TYPE_OTHER_EVENT << INTERRUPTION_TYPE_SHIFT);
}

/* Reason 37 after the first instruction: the control itself (which Bochs 2.7 takes for nothing). */
static void arm_mtf_step(struct vcpu *vcpu)
{
    vcpu->controls.proc =
        with_control(WORD_PROC, vcpu->controls.proc, PROC_MONITOR_TRAP_FLAG, "mtf-step");
}

/* GETSEC then exits with reason 11. */
static void arm_smx(struct vcpu *vcpu)
{
    (void)vcpu;
    if (!(vmx_capabilities.cr4_fixed1 & CR4_SMXE))
        fatal("test=smx: this CPU has no SMX");
    vmwrite(GUEST_CR4, vmread(GUEST_CR4) | CR4_SMXE);
}

/* Reason 33: RFLAGS bit 1 must be 1. */
static void break_guest_state(struct vcpu *vcpu)
{
    (void)vcpu;
    vmwrite(GUEST_RFLAGS, 0);
}

/* Reason 34: FS.base cannot be loaded from the list. */
static void break_msr_load(struct vcpu *vcpu)
{
    (void)vcpu;
    u64 *list = frame_alloc();
    list[0] = IA32_FS_BASE;
    vmwrite(VM_ENTRY_MSR_LOAD_ADDR, frame_physical(list));
    vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
}

void overflow_stack(void)
{
    volatile bool deeper = true;
    if (deeper)
        overflow_stack();
    deeper = false; /* no tail call */
}

static void arm_stack_overflow(struct vcpu *vcpu)
{
    (void)vcpu;
    overflow_stack();
}

void test_aids_arm(struct vcpu *vcpu, u32 aids)
{
#define ARM(name, word, arm) arm,
    static void (*const arms[])(struct vcpu * vcpu) = {TEST_AIDS(ARM)};
    for (unsigned i = 0; i < ARRAY_SIZE(arms); i++)
        if (arms[i] && (aids & 1u << i))
            arms[i](vcpu);
    vmwrite(PIN_BASED_CONTROLS, vcpu->controls.pin);
    vmwrite(PRIMARY_PROCBASED_CONTROLS, vcpu->controls.proc);
    vmwrite(SECONDARY_PROCBASED_CONTROLS, vcpu->controls.proc2);
}

bool repair_spoiled_page(u64 physical)
{
    if (align_down(physical, PAGE_SIZE) != SPOILED_PAGE)
        return false;
    set_entry(SPOILED_PAGE, unspoiled);
    return true;
}
