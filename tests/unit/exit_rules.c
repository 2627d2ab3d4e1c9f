#include "exit_rules.h"

#include <string.h>

#include "fake_machine.h"
#include "features.h"
#include "memory/guest_memory.h"
#include "random_state.h"
#include "names.h"
#include "entry_checks.h"

void (*how_to_repeat)(char *text, size_t size);

static const char *repeat(void)
{
    static char text[80];
    if (how_to_repeat)
        how_to_repeat(text, sizeof(text));
    return text;
}

static const char *author;

static void rule_is_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("%s: reason %u (%s): %s a state that cannot be entered: %s: %s is %#llx", repeat(),
             reason, reason_name(reason), author, sentence, vmcs_field_name(field),
             (unsigned long long)value);
}

void check_failed(const char *condition)
{
    fail_msg("%s: reason %u (%s): %s", repeat(), reason, reason_name(reason), condition);
}

/* What no exit changes: Tally's own state, and what it has set up once. */
static const u16 kept[] = {
    HOST_ES_SELECTOR,
    HOST_CS_SELECTOR,
    HOST_SS_SELECTOR,
    HOST_DS_SELECTOR,
    HOST_FS_SELECTOR,
    HOST_GS_SELECTOR,
    HOST_TR_SELECTOR,
    HOST_IA32_PAT,
    HOST_IA32_EFER,
    HOST_CR0,
    HOST_CR3,
    HOST_CR4,
    HOST_FS_BASE,
    HOST_GS_BASE,
    HOST_TR_BASE,
    HOST_GDTR_BASE,
    HOST_IDTR_BASE,
    HOST_RSP,
    EPT_POINTER,
    VIRTUAL_PROCESSOR_ID,
    IO_BITMAP_A,
    IO_BITMAP_B,
    MSR_BITMAP,
    EXCEPTION_BITMAP,
    CR0_GUEST_HOST_MASK,
    CR4_GUEST_HOST_MASK,
    VM_EXIT_CONTROLS,
    TSC_OFFSET,
    CR3_TARGET_COUNT,
    VM_EXIT_MSR_STORE_COUNT,
    VM_EXIT_MSR_LOAD_COUNT,
    VM_ENTRY_MSR_LOAD_COUNT,
    VMCS_LINK_POINTER,
    PAGE_FAULT_ERROR_CODE_MASK,
    PAGE_FAULT_ERROR_CODE_MATCH,
};
_Static_assert(ARRAY_SIZE(kept) <= KEPT_FIELDS, "room for all");

static void look_at_kept(struct before *b)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        b->kept[i] = fake_get(kept[i]);
    memcpy(b->gpr, fake_vcpu.gpr, sizeof(b->gpr));
    fake_vcpu.gprs_changed = false; /* entry.asm has */
}

static void check_kept(const struct before *b)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (fake_get(kept[i]) != b->kept[i])
            check_failed(vmcs_field_name(kept[i]));
}

/* entry.asm loads these only if told. */
static void check_gprs(const struct before *b)
{
    static const u8 kept_by_functions[] = {RBP, R12, R13, R14, R15};
    for (unsigned i = 0; i < sizeof(kept_by_functions); i++) {
        unsigned gpr = kept_by_functions[i];
        CHECK(fake_vcpu.gpr[gpr] == b->gpr[gpr] || fake_vcpu.gprs_changed);
    }
}

/* The controls that the vCPU knows of are those in force, and have an exit made for what waits. */
static void check_controls_in_force(void)
{
    const struct controls *c = &fake_vcpu.controls;
    CHECK(fake_get(PIN_BASED_CONTROLS) == c->pin);
    CHECK(fake_get(PRIMARY_PROCBASED_CONTROLS) == c->proc);
    CHECK(fake_get(SECONDARY_PROCBASED_CONTROLS) == c->proc2);
    CHECK(fake_get(VM_ENTRY_CONTROLS) == c->entry);
    u32 windows = c->proc & (PROC_NMI_WINDOW_EXITING | PROC_INTERRUPT_WINDOW_EXITING);
    CHECK(!fake_vcpu.interrupt_waits || (windows & PROC_INTERRUPT_WINDOW_EXITING));
    CHECK(!fake_vcpu.interrupt_waits || !(c->pin & PIN_EXTERNAL_INTERRUPT_EXITING));
    CHECK(!(fake_vcpu.guest_nmis || fake_vcpu.machine_check) || windows);
    CHECK(fake_vcpu.guest_nmis <= 2);
    /* An instruction in STI's shadow may clear IF: the interrupt window alone is not enough. */
    CHECK(!fake_vcpu.guest_nmis || (c->proc & (PROC_NMI_WINDOW_EXITING | PROC_MONITOR_TRAP_FLAG)));
}

/* What VM entry does not look at. */
static void check_registers(void)
{
    u64 dr7 = fake_get(GUEST_DR7);
    CHECK((dr7 & DR7_FIXED) && !(dr7 & 0xFFFFFFFF0000D000));
    CHECK(!(fake_cpu.dr[6] >> 32));
    CHECK(fake_cpu.cr8 <= 15);
    CHECK((fake_cpu.xcr0 & 1) && !(fake_cpu.xcr0 & ~features_bits(FEATURES_XCR0)));
    CHECK(!(fake_get(CR4_READ_SHADOW) & ~fake_vcpu.controls.cr4_allowed));
}

struct before look(void)
{
    struct before before = {
        .rip = fake_get(GUEST_RIP),
        .rflags = fake_get(GUEST_RFLAGS),
        .blocking = fake_get(GUEST_INTERRUPTIBILITY),
        .pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS),
        .length = (u32)fake_get(VM_EXIT_INSTRUCTION_LENGTH),
        .vectoring = (u32)fake_get(IDT_VECTORING_INFO),
        .code_64 =
            (fake_get(GUEST_IA32_EFER) & EFER_LMA) && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L),
    };
    look_at_kept(&before);
    return before;
}

void check_entry_rules(const char *whose)
{
    author = whose;
    entry_checks(&fake_capabilities, rule_is_broken);
}

/* Once past an instruction: no shadow, no RF, the single step pending. */
static void check_step(const struct before *b)
{
    CHECK(!(fake_get(GUEST_INTERRUPTIBILITY) & SHADOW));
    CHECK(!(fake_get(GUEST_RFLAGS) & RFLAGS_RF));
    bool stepping = (b->rflags & RFLAGS_TF) && !(fake_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    bool may_write_debugctl = reason == EXIT_WRMSR || reason == EXIT_WRMSRNS_IMMEDIATE ||
                              reason == EXIT_WRMSRLIST || reason == EXIT_UWRMSR;
    bool pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_BS;
    if (!may_write_debugctl)
        CHECK(pending == (stepping || (b->pending & PENDING_DEBUG_BS)));
}

static bool is_task_gate(u32 vector)
{
    u64 gate = 0;
    struct guest_fault ignored;
    return guest_read((u32)(fake_get(GUEST_IDTR_BASE) + vector * sizeof(gate)), &gate, sizeof(gate),
                      IMPLICIT_SUPERVISOR, &ignored) &&
           (gate >> 40 & (AR_S | AR_TYPE)) == 5;
}

/* An event has a stack: the guest's own, that of a ring below 3, or that of another task. In IA-32e
 * mode a null SS is one. */
static void check_stack(void)
{
    u64 injected = fake_get(VM_ENTRY_INTERRUPTION_INFO), rights = fake_get(GUEST_SS_ACCESS_RIGHTS);
    if (!(injected & INTERRUPTION_VALID) || (fake_get(GUEST_IA32_EFER) & EFER_LMA))
        return;
    CHECK(!(rights & AR_UNUSABLE) || (rights & AR_DPL) == AR_DPL ||
          is_task_gate(injected & INTERRUPTION_VECTOR));
}

void check_after(const struct before *b)
{
    check_entry_rules("its handler leaves");
    check_kept(b);
    check_gprs(b);
    check_controls_in_force();
    check_registers();
    if (!b->memory_changes)
        check_stack();
    if (reason == EXIT_TASK_SWITCH || reason == EXIT_SIPI || reason == EXIT_INIT_SIGNAL)
        return;

    u64 rip = fake_get(GUEST_RIP), next = b->rip + b->length;
    if (!b->code_64)
        next = (u32)next;
    CHECK(rip == b->rip || (is_kind(KIND_FAULT) && rip == next));
    if (rip != b->rip)
        check_step(b);
    u32 injected = (u32)fake_get(VM_ENTRY_INTERRUPTION_INFO);
    /* An instruction that is executed again has had its breakpoint. Where an exit may come in the
     * midst of a delivery, hardware has saved RF as it must be. */
    if (rip == b->rip && is_kind(KIND_FAULT) && !may_interrupt_delivery() &&
        !(injected & (u32)INTERRUPTION_VALID))
        CHECK(fake_get(GUEST_RFLAGS) & RFLAGS_RF);
    if (b->vectoring & (u32)INTERRUPTION_VALID) /* injected again, or an exception in its place */
        CHECK(injected & (u32)INTERRUPTION_VALID);
}
