/* RDRAND, RDSEED (exits 57, 61), UMWAIT, TPAUSE (67, 68): one register, and flags that tell. */
#include "emulate/handlers.h"
#include "emulate/io.h"
#include "vmx/advance.h"
#include "x86/instructions.h"
#include "emulate/operand.h"

#define RESULT_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static unsigned operand_register(void)
{
    return vmread(VM_EXIT_INSTRUCTION_INFO) >> 3 & 15;
}

static void set_result(bool carry)
{
    u64 rflags = vmread(GUEST_RFLAGS) & ~RESULT_FLAGS;
    vmwrite(GUEST_RFLAGS, rflags | (carry ? RFLAGS_CF : 0));
}

enum exit_action exit_rdrand(struct vcpu *vcpu)
{
    bool seed = (vcpu->exit_reason & EXIT_REASON_BASIC) == EXIT_RDSEED;
    unsigned number = operand_register();
    /* From the prefixes: Bochs up to 2.7 reports 16-bit operands as 32-bit ones. */
    unsigned size = guest_instruction().operand_size;
    u64 value; /* 0 without the carry */
    bool carry = seed ? rdseed(&value) : rdrand(&value);

    vcpu_set_gpr(vcpu, number, merge_register(vcpu_gpr(vcpu, number), value, size));
    set_result(carry);
    return EXIT_ADVANCE;
}

/*
 * Both may end at any time, so they end at once; CF would mean the operating system's time limit.
 * The operand comes from the instruction: Bochs up to 3.1 does not tell the register.
 */
enum exit_action exit_umwait_tpause(struct vcpu *vcpu)
{
    struct instruction instruction = guest_instruction();

    if (!instruction.length)
        return execute_again();
    if ((u32)vcpu_gpr(vcpu, instruction.rm) & ~1u)
        return inject_gp(vcpu);
    set_result(false);
    return EXIT_ADVANCE;
}
