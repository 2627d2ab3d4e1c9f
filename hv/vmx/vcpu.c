#include "vcpu.h"
#include "lib/print.h"
#include "vmx/access.h"

/* entry.asm loads these only when told to: the C calling convention keeps them. */
#define KEPT_BY_FUNCTIONS (BIT(RBP) | BIT(R12) | BIT(R13) | BIT(R14) | BIT(R15))

u64 vcpu_gpr(const struct vcpu *vcpu, unsigned number)
{
    return number == RSP ? vmread(GUEST_RSP) : vcpu->gpr[number];
}

void vcpu_set_gpr(struct vcpu *vcpu, unsigned number, u64 value)
{
    if (number == RSP)
        vmwrite(GUEST_RSP, value);
    else
        vcpu->gpr[number] = value;
    if (BIT(number) & KEPT_BY_FUNCTIONS)
        vcpu->gprs_changed = true;
}

struct exit_entries exit_entries;

static void set_chores(struct vcpu *vcpu, u32 chores)
{
    vcpu->chores = chores;
    vmwrite(HOST_RIP, (u64)(chores & CHORE_RECORD ? exit_entries.recorded
                            : chores              ? exit_entries.observed
                                                  : exit_entries.plain));
}

void vcpu_add_chore(struct vcpu *vcpu, u32 chore)
{
    set_chores(vcpu, vcpu->chores | chore);
}

void vcpu_drop_chores(struct vcpu *vcpu, u32 chores)
{
    set_chores(vcpu, vcpu->chores & ~chores);
}

/* The other half of access.h. */
void vmwrite_failed(u32 field, u64 value)
{
    fatal("VMWRITE of %lx to field %x failed: VM-instruction error %u", value, field,
          (u32)vmread(VM_INSTRUCTION_ERROR));
}
