/* MOV to and from debug registers (exit 29). SDM vol. 3, 'Debug Registers'. */
#include "emulate/handlers.h"
#include "vmx/advance.h"

#define QUALIFICATION_REGISTER 7u
#define QUALIFICATION_FROM BIT(4)
#define QUALIFICATION_GPR_SHIFT 8

#define DR7_WRITABLE 0xFFFF2BFFull /* of them RTM on some CPUs only: the entry knows */

static u64 read_guest_dr(unsigned number)
{
    return number == 7 ? vmread(GUEST_DR7) : live_debug_register(number);
}

static void write_guest_dr(unsigned number, u64 value)
{
    if (number == 7)
        vmwrite(GUEST_DR7, (value & DR7_WRITABLE) | DR7_FIXED);
    else
        live_set_debug_register(number, value);
}

/* General detect: the debugger's registers are its own. */
static enum exit_action general_detect(struct vcpu *vcpu)
{
    vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~DR7_GD);
    update_dr6(DR6_BD);
    set_resume_flag();
    return inject_exception(vcpu, VECTOR_DB, 0);
}

enum exit_action exit_mov_dr(struct vcpu *vcpu)
{
    u64 qualification = vmread(EXIT_QUALIFICATION);
    unsigned number = qualification & QUALIFICATION_REGISTER;
    unsigned gpr = qualification >> QUALIFICATION_GPR_SHIFT & 15;
    bool long_code = guest_64bit_code();

    if (number == 4 || number == 5) {
        if (guest_visible_cr4(vcpu) & CR4_DE)
            return inject_ud(vcpu);
        number += 2;
    }
    if (guest_cpl() != 0)
        return inject_gp(vcpu);
    if (vmread(GUEST_DR7) & DR7_GD)
        return general_detect(vcpu);

    if (qualification & QUALIFICATION_FROM) {
        u64 value = read_guest_dr(number);
        vcpu_set_gpr(vcpu, gpr, long_code ? value : (u32)value);
        return EXIT_ADVANCE;
    }
    u64 value = long_code ? vcpu_gpr(vcpu, gpr) : (u32)vcpu_gpr(vcpu, gpr);
    if (number >= 6 && value >> 32)
        return inject_gp(vcpu);
    write_guest_dr(number, value);
    return EXIT_ADVANCE;
}
