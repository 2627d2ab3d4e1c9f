/* INVPCID (exit 58), by INVVPID: it knows no PCIDs, so it flushes those of all. */
#include "emulate/handlers.h"
#include "emulate/operand.h"
#include "vmx/invalidate.h"

enum invpcid_type {
    INVPCID_ADDRESS,
    INVPCID_CONTEXT,
    INVPCID_ALL,
    INVPCID_ALL_NON_GLOBAL,
};

struct invpcid_descriptor {
    u64 pcid; /* and reserved bits */
    u64 linear;
};
_Static_assert(sizeof(struct invpcid_descriptor) == 16, "operand of INVPCID");

static bool operands_allowed(const struct vcpu *vcpu, u64 type,
                             const struct invpcid_descriptor *descriptor)
{
    if (type > INVPCID_ALL_NON_GLOBAL || (descriptor->pcid & ~CR3_PCID))
        return false;
    if (type <= INVPCID_CONTEXT && descriptor->pcid && !(guest_visible_cr4(vcpu) & CR4_PCIDE))
        return false;
    return type != INVPCID_ADDRESS || guest_canonical_operand(descriptor->linear);
}

enum exit_action exit_invpcid(struct vcpu *vcpu)
{
    struct invpcid_descriptor descriptor;
    struct guest_fault fault;
    struct operand operand = described_operand(vcpu, sizeof(descriptor));
    u64 type = vcpu_gpr(vcpu, vmread(VM_EXIT_INSTRUCTION_INFO) >> 28 & 15);

    if (guest_cpl() != 0) /* some CPUs leave the privilege check to the hypervisor */
        return inject_gp(vcpu);
    if (!guest_64bit_code())
        type = (u32)type;
    if (!operand_read(&operand, &descriptor, &fault))
        return inject_fault(vcpu, &fault);
    if (!operands_allowed(vcpu, type, &descriptor))
        return inject_gp(vcpu);
    if (type == INVPCID_ADDRESS)
        flush_guest_page(vcpu, descriptor.linear);
    else if (type == INVPCID_ALL)
        flush_guest_tlb(vcpu);
    else
        flush_guest_non_global(vcpu);
    return EXIT_ADVANCE;
}
