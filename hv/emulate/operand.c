#include "emulate/operand.h"
#include "vmx/advance.h"
#include "vmx/guest_state.h"

#define INFO_SCALE(info) ((info)&3)
#define INFO_ADDRESS_SIZE(info) (2u << ((info) >> 7 & 3))
#define INFO_SEGMENT(info) ((info) >> 15 & 7)
#define INFO_INDEX(info) ((info) >> 18 & 15)
#define INFO_NO_INDEX BIT(22)
#define INFO_BASE(info) ((info) >> 23 & 15)
#define INFO_NO_BASE BIT(27)

struct operand described_operand(const struct vcpu *vcpu, size_t size)
{
    u32 info = (u32)vmread(VM_EXIT_INSTRUCTION_INFO);
    u64 offset = vmread(EXIT_QUALIFICATION); /* the displacement */
    if (!(info & INFO_NO_BASE))
        offset += vcpu_gpr(vcpu, INFO_BASE(info));
    if (!(info & INFO_NO_INDEX))
        offset += vcpu_gpr(vcpu, INFO_INDEX(info)) << INFO_SCALE(info);
    return (struct operand){INFO_SEGMENT(info), INFO_ADDRESS_SIZE(info), offset, size};
}

bool operand_linear(const struct operand *operand, enum access access, u64 *linear,
                    struct guest_fault *fault)
{
    return guest_linear_address(operand->segment, operand->offset, operand->address_size,
                                operand->size, access, linear, fault);
}

bool operand_read(const struct operand *operand, void *buffer, struct guest_fault *fault)
{
    u64 linear;
    if (!operand_linear(operand, ACCESS_READ, &linear, fault) ||
        !guest_read(linear, buffer, operand->size, guest_cpl(), fault))
        return false;
    if (breakpoints_enabled())
        match_breakpoints(BREAKPOINT_READ, linear, (unsigned)operand->size);
    return true;
}

bool operand_write(const struct operand *operand, const void *buffer, struct guest_fault *fault)
{
    u64 linear;
    if (!operand_linear(operand, ACCESS_WRITE, &linear, fault) ||
        !guest_write(linear, buffer, operand->size, guest_cpl(), fault))
        return false;
    if (breakpoints_enabled())
        match_breakpoints(BREAKPOINT_WRITE, linear, (unsigned)operand->size);
    return true;
}

bool operand_can_write(const struct operand *operand, struct guest_fault *fault)
{
    u64 linear;
    return operand_linear(operand, ACCESS_WRITE, &linear, fault) &&
           guest_can_write(linear, operand->size, guest_cpl(), fault);
}
