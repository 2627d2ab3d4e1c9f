/*
 * SGDT, SIDT, LGDT, LIDT (exit 46), SLDT, STR, LLDT, LTR (exit 47).
 * Operand sizes come from the prefixes: Bochs up to 2.7 leaves them out of the information field.
 */
#include "emulate/handlers.h"
#include "emulate/operand.h"
#include "emulate/segments.h"
#include "x86/instructions.h"

#define INFO_REGISTER_FORM BIT(10)
#define INFO_REGISTER(info) ((info) >> 3 & 15)
/* Which of the four instructions: IDT, not GDT, or TR, not LDTR; and load, not store. */
#define INFO_SECOND BIT(28)
#define INFO_LOAD BIT(29)

/* The CPU itself checks UMIP before the exit; one whose UMIP KVM emulates does not. */
static bool privilege_forbids(bool load)
{
    return guest_cpl() != 0 && (load || (vmread(GUEST_CR4) & CR4_UMIP));
}

/* 6 bytes, 10 in 64-bit code. */
static struct operand table_operand(const struct vcpu *vcpu)
{
    size_t size = guest_64bit_code() ? sizeof(struct descriptor_table_register) : 6;
    return described_operand(vcpu, size);
}

static bool store_table(const struct vcpu *vcpu, bool idt, struct guest_fault *fault)
{
    struct descriptor_table_register table = {
        .limit = (u16)vmread(idt ? GUEST_IDTR_LIMIT : GUEST_GDTR_LIMIT),
        .base = vmread(idt ? GUEST_IDTR_BASE : GUEST_GDTR_BASE),
    };
    struct operand operand = table_operand(vcpu);
    return operand_write(&operand, &table, fault);
}

static bool load_table(const struct vcpu *vcpu, bool idt, struct guest_fault *fault)
{
    struct descriptor_table_register table = {0};
    struct operand operand = table_operand(vcpu);
    if (!operand_read(&operand, &table, fault))
        return false;
    if (guest_64bit_code()) {
        if (!guest_canonical_operand(table.base))
            return selector_fault(fault, VECTOR_GP, 0);
    } else if (guest_instruction().operand_size == 2) {
        table.base &= 0xFFFFFF; /* as on the 286 */
    }
    vmwrite(idt ? GUEST_IDTR_LIMIT : GUEST_GDTR_LIMIT, table.limit);
    vmwrite(idt ? GUEST_IDTR_BASE : GUEST_GDTR_BASE, table.base);
    return true;
}

enum exit_action exit_gdtr_idtr_access(struct vcpu *vcpu)
{
    u32 info = (u32)vmread(VM_EXIT_INSTRUCTION_INFO);
    bool load = info & INFO_LOAD, idt = info & INFO_SECOND;
    struct guest_fault fault = {0};

    if (privilege_forbids(load))
        return inject_gp(vcpu);
    bool done = load ? load_table(vcpu, idt, &fault) : store_table(vcpu, idt, &fault);
    return done ? EXIT_ADVANCE : inject_fault(vcpu, &fault);
}

/* To memory always 16 bits; to a register as wide as the operand, zero-extended. */
static bool store_selector(struct vcpu *vcpu, u32 info, u16 selector, struct guest_fault *fault)
{
    unsigned number = INFO_REGISTER(info);
    struct operand operand = described_operand(vcpu, sizeof(selector));
    if (!(info & INFO_REGISTER_FORM))
        return operand_write(&operand, &selector, fault);
    u64 upper = guest_instruction().operand_size == 2 ? vcpu_gpr(vcpu, number) & ~0xFFFFull : 0;
    vcpu_set_gpr(vcpu, number, upper | selector);
    return true;
}

static bool read_selector(const struct vcpu *vcpu, u32 info, u16 *selector,
                          struct guest_fault *fault)
{
    struct operand operand = described_operand(vcpu, sizeof(*selector));
    if (info & INFO_REGISTER_FORM) {
        *selector = (u16)vcpu_gpr(vcpu, INFO_REGISTER(info));
        return true;
    }
    return operand_read(&operand, selector, fault);
}

/* A descriptor of an LDT or TSS, with 16 bytes in IA-32e mode, whose upper half has no type. */
static bool read_system_descriptor(u16 selector, struct descriptor *descriptor,
                                   struct guest_fault *fault)
{
    bool wide = guest_long_mode();
    if (selector & SELECTOR_LDT)
        return selector_fault(fault, VECTOR_GP, selector);
    if (!descriptor_read(selector, wide ? 16 : 8, VECTOR_GP, descriptor, fault))
        return false;
    if ((descriptor->high >> 40 & 0x1F) || !guest_canonical_operand(descriptor_base(descriptor)))
        return selector_fault(fault, VECTOR_GP, selector);
    return true;
}

static bool load_ldtr(u16 selector, struct guest_fault *fault)
{
    struct descriptor descriptor;
    if (selector_is_null(selector)) {
        segment_make_unusable(LDTR, selector);
        return true;
    }
    if (!read_system_descriptor(selector, &descriptor, fault))
        return false;
    u32 rights = descriptor_rights(&descriptor);
    if ((rights & (AR_S | AR_TYPE)) != TYPE_LDT)
        return selector_fault(fault, VECTOR_GP, selector);
    if (!(rights & AR_P))
        return selector_fault(fault, VECTOR_NP, selector);
    segment_load(LDTR, selector, &descriptor, 0);
    return true;
}

static bool load_tr(u16 selector, struct guest_fault *fault)
{
    struct descriptor descriptor;
    if (selector_is_null(selector))
        return selector_fault(fault, VECTOR_GP, 0);
    if (!read_system_descriptor(selector, &descriptor, fault))
        return false;
    u32 rights = descriptor_rights(&descriptor);
    u32 type = rights & (AR_S | AR_TYPE);
    if (type != TYPE_TSS && (type != TYPE_TSS_16BIT || guest_long_mode()))
        return selector_fault(fault, VECTOR_GP, selector);
    if (!(rights & AR_P))
        return selector_fault(fault, VECTOR_NP, selector);
    if (!descriptor_change_type(selector, TYPE_BUSY, 0, fault))
        return false;
    segment_load(TR, selector, &descriptor, TYPE_BUSY);
    return true;
}

static bool load_selector(const struct vcpu *vcpu, u32 info, bool task, struct guest_fault *fault)
{
    u16 selector;
    if (!read_selector(vcpu, info, &selector, fault))
        return false;
    return task ? load_tr(selector, fault) : load_ldtr(selector, fault);
}

enum exit_action exit_ldtr_tr_access(struct vcpu *vcpu)
{
    u32 info = (u32)vmread(VM_EXIT_INSTRUCTION_INFO);
    bool load = info & INFO_LOAD, task = info & INFO_SECOND;
    struct guest_fault fault = {0};

    if (privilege_forbids(load))
        return inject_gp(vcpu);
    u16 current = (u16)vmread(task ? GUEST_TR_SELECTOR : GUEST_LDTR_SELECTOR);
    bool done = load ? load_selector(vcpu, info, task, &fault)
                     : store_selector(vcpu, info, current, &fault);
    return done ? EXIT_ADVANCE : inject_fault(vcpu, &fault);
}
