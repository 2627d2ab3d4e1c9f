/*
 * Task switches (exit 9): VMX leaves all of it to the hypervisor. Up to the commit a fault belongs
 * to the old task, whose state is still untouched; after it, to the new one.
 * SDM vol. 3, 'Task Switching' and 'Treatment of Task Switches'.
 */
#include "emulate/handlers.h"
#include "emulate/task.h"
#include "vmx/invalidate.h"
#include "vmx/advance.h"

#define QUALIFICATION_SOURCE_SHIFT 30
#define ERROR_CODE_EXTERNAL 1u

/* Where EFLAGS has bits at all. */
#define EFLAGS_DEFINED 0x3F7FD5ull

enum source { SOURCE_CALL, SOURCE_IRET, SOURCE_JMP, SOURCE_GATE };

struct task_switch {
    enum source source;
    u16 selector; /* of the new TSS */
    u32 event;    /* IDT-vectoring information of SOURCE_GATE, else 0 */
    struct descriptor descriptor;
    u64 old_tss, new_tss;
    bool old_wide;
    struct task task; /* the new one */
};

static bool is_nested(const struct task_switch *s)
{
    return s->source == SOURCE_CALL || s->source == SOURCE_GATE;
}

/* An instruction made the switch: CALL, JMP, IRET, INT n, INT1, INT3, INTO. */
static bool by_instruction(const struct task_switch *s)
{
    return s->source != SOURCE_GATE || interruption_type(s->event) >= TYPE_SOFTWARE_INTERRUPT;
}

static bool by_external_event(const struct task_switch *s)
{
    return s->source == SOURCE_GATE && interruption_type(s->event) != TYPE_SOFTWARE_INTERRUPT &&
           interruption_type(s->event) != TYPE_SOFTWARE_EXCEPTION;
}

/* A fault while an event was being delivered: after an exception it may become a double fault. The
 * stack is lent to an old task, too, that has none since its own switch ended in a fault. */
static enum exit_action switch_fault(struct vcpu *vcpu, const struct task_switch *s,
                                     struct guest_fault *fault)
{
    if (fault->vector != VECTOR_PF && by_external_event(s))
        fault->error_code |= ERROR_CODE_EXTERNAL;
    vcpu->vectoring = s->event;
    enum exit_action action = inject_fault(vcpu, fault);
    task_lend_stack(vmread(VM_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VECTOR);
    return action;
}

/* Privileges and gates were checked before the exit. */
static bool check_new_tss(struct task_switch *s, struct guest_fault *fault)
{
    u8 vector = s->source == SOURCE_IRET ? VECTOR_TS : VECTOR_GP;
    u32 busy = s->source == SOURCE_IRET ? TYPE_BUSY : 0;
    if (selector_is_null(s->selector) || (s->selector & SELECTOR_LDT))
        return selector_fault(fault, vector, s->selector);
    if (!descriptor_read(s->selector, 8, vector, &s->descriptor, fault))
        return false;
    u32 rights = descriptor_rights(&s->descriptor);
    u32 type = rights & (AR_S | AR_TYPE);
    bool wide = type == (TYPE_TSS | busy);
    if (!wide && type != (TYPE_TSS_16BIT | busy))
        return selector_fault(fault, vector, s->selector);
    if (!(rights & AR_P))
        return selector_fault(fault, VECTOR_NP, s->selector);
    if (descriptor_limit(&s->descriptor) < task_minimum_limit(wide))
        return selector_fault(fault, VECTOR_TS, s->selector);
    s->new_tss = descriptor_base(&s->descriptor);
    return task_read(s->new_tss, wide, &s->task, fault);
}

static bool check_old_tss(struct task_switch *s, struct guest_fault *fault)
{
    s->old_tss = vmread(GUEST_TR_BASE);
    s->old_wide = (vmread(GUEST_TR_ACCESS_RIGHTS) & AR_TYPE) == TYPE_TSS_BUSY;
    if (vmread(GUEST_TR_LIMIT) < task_saved_limit(s->old_wide))
        return selector_fault(fault, VECTOR_TS, (u16)vmread(GUEST_TR_SELECTOR));
    return task_can_write(s->old_tss, s->old_wide, fault);
}

static bool check_links(const struct task_switch *s, struct guest_fault *fault)
{
    return !is_nested(s) || guest_can_write(s->new_tss, sizeof(u16), IMPLICIT_SUPERVISOR, fault);
}

/* The old task goes on after the instruction that left it, or at the one that was interrupted. */
static void current_task(struct task *task, const struct vcpu *vcpu, const struct task_switch *s)
{
    *task = (struct task){
        .wide = s->old_wide,
        .eip = (u32)vmread(GUEST_RIP),
        .eflags = (u32)vmread(GUEST_RFLAGS),
    };
    if (by_instruction(s)) {
        task->eip += (u32)vmread(VM_EXIT_INSTRUCTION_LENGTH);
        task->eflags &= ~(u32)RFLAGS_RF;
    }
    if (s->source == SOURCE_IRET)
        task->eflags &= ~(u32)RFLAGS_NT;
    for (unsigned i = 0; i < TASK_GPRS; i++)
        task->gpr[i] = (u32)vcpu_gpr(vcpu, i);
    for (enum segment i = ES; i <= GS; i++)
        task->segment[i] = (u16)vmread(segment_selector(i));
}

/* Saves the old task, and puts the busy bits and the link in order. */
static bool leave_old_task(const struct vcpu *vcpu, const struct task_switch *s,
                           struct guest_fault *fault)
{
    u16 old_selector = (u16)vmread(GUEST_TR_SELECTOR);
    struct task old;
    current_task(&old, vcpu, s);
    if (!is_nested(s) && !descriptor_change_type(old_selector, 0, TYPE_BUSY, fault))
        return false;
    if (s->source != SOURCE_IRET && !descriptor_change_type(s->selector, TYPE_BUSY, 0, fault))
        return false;
    if (!task_write(s->old_tss, &old, fault))
        return false;
    return !is_nested(s) ||
           guest_write(s->new_tss, &old_selector, sizeof(u16), IMPLICIT_SUPERVISOR, fault);
}

/* A 16-bit TSS has no CR3, and without paging nobody looks at it. */
static bool load_cr3(struct vcpu *vcpu, const struct task *task, struct guest_fault *fault)
{
    bool paging = vmread(GUEST_CR0) & CR0_PG;
    if (!task->wide || !paging || task->cr3 == vmread(GUEST_CR3))
        return true;
    if ((vmread(GUEST_CR4) & CR4_PAE) && !guest_load_pdptes(task->cr3))
        return selector_fault(fault, VECTOR_GP, 0);
    vmwrite(GUEST_CR3, task->cr3);
    flush_guest_non_global(vcpu);
    return true;
}

static void set_task_switched(void)
{
    vmwrite(GUEST_CR0, vmread(GUEST_CR0) | CR0_TS);
    vmwrite(CR0_READ_SHADOW, vmread(CR0_READ_SHADOW) | CR0_TS);
}

/* After this NMIs are blocked if one of them made the switch; an IRET ends their blocking. */
static void set_blocking(const struct task_switch *s)
{
    u64 blocking = vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_SHADOW;
    if (s->source == SOURCE_IRET)
        blocking &= ~BLOCKING_BY_NMI;
    if (s->event && interruption_type(s->event) == TYPE_NMI)
        blocking |= BLOCKING_BY_NMI;
    vmwrite(GUEST_INTERRUPTIBILITY, blocking);
}

static void load_registers(struct vcpu *vcpu, struct task_switch *s)
{
    if (is_nested(s))
        s->task.eflags |= RFLAGS_NT;
    segment_load(TR, s->selector, &s->descriptor, TYPE_BUSY);
    task_drop_segments(&s->task);
    set_task_switched();
    set_blocking(s);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE); /* the event may have ended a HLT */
    vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~DR7_LOCAL_ENABLES);
    vmwrite(GUEST_RIP, s->task.eip);
    vmwrite(GUEST_RFLAGS, (s->task.eflags & EFLAGS_DEFINED) | RFLAGS_FIXED);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        vcpu_set_gpr(vcpu, i, s->task.gpr[i]);
}

static bool check_eip(const struct task *task, struct guest_fault *fault)
{
    return task->eip <= vmread(GUEST_CS_LIMIT) || selector_fault(fault, VECTOR_GP, 0);
}

/* The event's error code, on the stack of the new task and as wide as its TSS. */
static bool push_error_code(struct vcpu *vcpu, const struct task_switch *s,
                            struct guest_fault *fault)
{
    unsigned size = s->task.wide ? sizeof(u32) : sizeof(u16);
    u32 error_code = (u32)vmread(IDT_VECTORING_ERROR_CODE);
    bool wide_stack = vmread(GUEST_SS_ACCESS_RIGHTS) & AR_DB;
    u32 mask = wide_stack ? 0xFFFFFFFF : 0xFFFF;
    u32 esp = s->task.gpr[RSP], top = (esp - size) & mask;
    u64 linear;
    if (!(s->event & INTERRUPTION_ERROR_CODE))
        return true;
    if (!guest_linear_address(SS, top, wide_stack ? 4 : 2, size, ACCESS_WRITE, &linear, fault) ||
        !guest_write(linear, &error_code, size, guest_cpl(), fault))
        return false;
    vcpu_set_gpr(vcpu, RSP, (esp & ~mask) | top);
    return true;
}

static enum exit_action trap_into_task(struct vcpu *vcpu)
{
    update_dr6(DR6_BT);
    return inject_exception(vcpu, VECTOR_DB, 0);
}

enum exit_action exit_task_switch(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    struct task_switch s = {
        .source = qualification >> QUALIFICATION_SOURCE_SHIFT & 3,
        .selector = (u16)qualification,
    };
    struct guest_fault fault;
    if (s.source == SOURCE_GATE)
        s.event = (u32)vmread(IDT_VECTORING_INFO);

    if (!check_new_tss(&s, &fault) || !check_old_tss(&s, &fault) || !check_links(&s, &fault) ||
        !leave_old_task(vcpu, &s, &fault))
        return switch_fault(vcpu, &s, &fault);
    load_registers(vcpu, &s);
    if (!load_cr3(vcpu, &s.task, &fault) || !task_load_segments(&s.task, &fault) ||
        !check_eip(&s.task, &fault) || !push_error_code(vcpu, &s, &fault))
        return switch_fault(vcpu, &s, &fault);
    return s.task.trap ? trap_into_task(vcpu) : EXIT_RETRY;
}
