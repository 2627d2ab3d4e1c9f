/*
 * The segment registers of a new task. A check that fails is #TS of the new task, #NP or #SS where
 * a segment is not present. SDM vol. 3, table 'Exception Conditions Checked During a Task Switch'.
 */
#include "emulate/task.h"
#include "vmx/guest_state.h"

#define V8086_RIGHTS 0xF3u /* read/write data, DPL 3: what VM entry demands of all six */

/* Code, accessed, present, so that VM entry is content until the real one is loaded. */
#define PLACEHOLDER_CODE_RIGHTS 0x9Bu

static unsigned dpl_of(u32 rights)
{
    return (rights & AR_DPL) >> AR_DPL_SHIFT;
}

static bool is_code(u32 rights)
{
    return (rights & AR_S) && (rights & TYPE_CODE);
}

static bool is_writable_data(u32 rights)
{
    return (rights & AR_S) && !(rights & TYPE_CODE) && (rights & TYPE_WRITABLE);
}

static bool is_readable(u32 rights)
{
    return (rights & AR_S) && (!(rights & TYPE_CODE) || (rights & TYPE_WRITABLE));
}

static bool type_allowed(enum segment segment, u32 rights)
{
    switch (segment) {
    case CS: return is_code(rights);
    case SS: return is_writable_data(rights);
    default: return is_readable(rights);
    }
}

static bool privilege_allowed(enum segment segment, u32 rights, unsigned rpl, unsigned cpl)
{
    unsigned dpl = dpl_of(rights);
    bool conforming = is_code(rights) && (rights & TYPE_CONFORMING);
    switch (segment) {
    case CS: return conforming ? dpl <= rpl : dpl == rpl;
    case SS: return dpl == cpl && rpl == cpl;
    default: return conforming || (dpl >= rpl && dpl >= cpl);
    }
}

static bool load_ldtr(u16 selector, struct guest_fault *fault)
{
    struct descriptor descriptor;
    if (selector_is_null(selector))
        return true;
    if (selector & SELECTOR_LDT)
        return selector_fault(fault, VECTOR_TS, selector);
    if (!descriptor_read(selector, 8, VECTOR_TS, &descriptor, fault))
        return false;
    u32 rights = descriptor_rights(&descriptor);
    if ((rights & (AR_S | AR_TYPE)) != TYPE_LDT || !(rights & AR_P))
        return selector_fault(fault, VECTOR_TS, selector);
    segment_load(LDTR, selector, &descriptor, 0);
    return true;
}

static bool load_one(enum segment segment, u16 selector, unsigned cpl, struct guest_fault *fault)
{
    struct descriptor descriptor;
    if (selector_is_null(selector))
        return segment == CS || segment == SS ? selector_fault(fault, VECTOR_TS, selector) : true;
    if (!descriptor_read(selector, 8, VECTOR_TS, &descriptor, fault))
        return false;
    u32 rights = descriptor_rights(&descriptor);
    if (!type_allowed(segment, rights))
        return selector_fault(fault, VECTOR_TS, selector);
    if (!(rights & AR_P))
        return selector_fault(fault, segment == SS ? VECTOR_SS : VECTOR_NP, selector);
    if (!privilege_allowed(segment, rights, selector & SELECTOR_RPL, cpl))
        return selector_fault(fault, VECTOR_TS, selector);
    if (!(rights & TYPE_ACCESSED) && !descriptor_change_type(selector, TYPE_ACCESSED, 0, fault))
        return false;
    segment_load(segment, selector, &descriptor, TYPE_ACCESSED);
    return true;
}

static void load_v8086(const struct task *task)
{
    for (enum segment s = ES; s <= GS; s++) {
        vmwrite(segment_selector(s), task->segment[s]);
        vmwrite(segment_base(s), task->segment[s] << 4);
        vmwrite(segment_limit(s), 0xFFFF);
        vmwrite(segment_access_rights(s), V8086_RIGHTS);
    }
}

/* Nothing usable yet but code of the new privilege level, which VM entry reads from SS. */
static void load_placeholders(const struct task *task)
{
    unsigned cpl = task->segment[CS] & SELECTOR_RPL;
    for (enum segment s = ES; s <= GS; s++)
        segment_make_unusable(s, (u16)task->segment[s]);
    vmwrite(GUEST_SS_ACCESS_RIGHTS, AR_UNUSABLE | cpl << AR_DPL_SHIFT);
    vmwrite(GUEST_CS_BASE, 0);
    vmwrite(GUEST_CS_LIMIT, 0xFFFF);
    vmwrite(GUEST_CS_ACCESS_RIGHTS, PLACEHOLDER_CODE_RIGHTS | cpl << AR_DPL_SHIFT);
}

void task_drop_segments(const struct task *task)
{
    if (task->eflags & RFLAGS_VM)
        load_v8086(task);
    else
        load_placeholders(task);
    segment_make_unusable(LDTR, task->ldt);
}

void task_lend_stack(unsigned vector)
{
    struct descriptor gate = {0};
    struct guest_fault ignored;
    u64 address = vmread(GUEST_IDTR_BASE) + vector * sizeof(gate.low);
    if (!(vmread(GUEST_SS_ACCESS_RIGHTS) & AR_UNUSABLE))
        return;
    if (guest_read((u32)address, &gate.low, sizeof(gate.low), IMPLICIT_SUPERVISOR, &ignored) &&
        (descriptor_rights(&gate) & (AR_S | AR_TYPE)) == TYPE_TASK_GATE)
        return;
    vmwrite(GUEST_CS_SELECTOR, vmread(GUEST_CS_SELECTOR) | SELECTOR_RPL);
    vmwrite(GUEST_CS_ACCESS_RIGHTS, vmread(GUEST_CS_ACCESS_RIGHTS) | AR_DPL);
    vmwrite(GUEST_SS_ACCESS_RIGHTS, AR_UNUSABLE | AR_DPL);
}

/* The stack first: a fault in one of the others is delivered on it. */
bool task_load_segments(const struct task *task, struct guest_fault *fault)
{
    static const enum segment order[] = {SS, CS, DS, ES, FS, GS};
    unsigned cpl = task->segment[CS] & SELECTOR_RPL;
    if (!load_ldtr(task->ldt, fault))
        return false;
    if (task->eflags & RFLAGS_VM)
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
        if (!load_one(order[i], (u16)task->segment[order[i]], cpl, fault))
            return false;
    return true;
}
