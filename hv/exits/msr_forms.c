/*
 * The newer instructions that read and write MSRs, all of them in 64-bit code: lists of MSRs
 * (reasons 78, 79), user mode's (80, 81), the MSR as an immediate (84, 85). The rules are those of
 * RDMSR and WRMSR. The operands come from the instruction and its lists: the qualification has the
 * MSR only where there is an MSR bitmap, and Bochs up to 3.1 leaves MSR and register out.
 */
#include "lib/safe.h"
#include "emulate/handlers.h"
#include "vmx/advance.h"
#include "exits/cpuid_msr.h"
#include "emulate/operand.h"
#include "x86/msr.h"

static enum exit_action read_to(struct vcpu *vcpu, u32 msr, unsigned gpr)
{
    u64 value;
    if (!msr_read(vcpu, msr, &value))
        return inject_gp(vcpu);
    vcpu_set_gpr(vcpu, gpr, value);
    return EXIT_ADVANCE;
}

static enum exit_action write_from(struct vcpu *vcpu, u32 msr, unsigned gpr)
{
    u64 value = vcpu_gpr(vcpu, gpr);
    return msr_write(vcpu, msr, value) ? EXIT_ADVANCE : inject_gp(vcpu);
}

static bool is_exit(const struct vcpu *vcpu, enum exit_reason reason)
{
    return (vcpu->exit_reason & EXIT_REASON_BASIC) == reason;
}

enum exit_action exit_msr_immediate(struct vcpu *vcpu)
{
    struct instruction instruction = guest_instruction();
    if (!instruction.length)
        return execute_again();
    if (is_exit(vcpu, EXIT_RDMSR_IMMEDIATE))
        return read_to(vcpu, instruction.immediate, instruction.rm);
    if (!instruction.vex)
        return exit_wrmsr(vcpu); /* by registers: reason 32 but in Bochs up to 3.1 */
    return write_from(vcpu, instruction.immediate, instruction.rm);
}

/* The form with registers has the MSR's number in the one that ModRM.reg names. */
static u32 user_msr(const struct vcpu *vcpu, const struct instruction *instruction)
{
    return instruction->vex ? instruction->immediate : (u32)vcpu_gpr(vcpu, instruction->reg);
}

#define USER_MSRS 0x4000u
#define USER_MSR_BITMAP ~0xFFFull
#define USER_MSR_WRITES 2048

/*
 * What the guest's bitmap says; the CPU has asked it before the exit, but another one may have
 * changed the instruction since. SDM vol. 3, 'User-Mode MSR Bitmap'.
 */
static bool user_may(u32 msr, u64 part)
{
    struct guest_fault fault;
    u64 control;
    u8 bits;
    return msr < USER_MSRS && rdmsr_safe(IA32_USER_MSR_CTL, &control) &&
           guest_read((control & USER_MSR_BITMAP) + part + msr / 8, &bits, sizeof(bits),
                      IMPLICIT_SUPERVISOR, &fault) &&
           (bits & 1u << msr % 8);
}

enum exit_action exit_user_msr(struct vcpu *vcpu)
{
    bool write = is_exit(vcpu, EXIT_UWRMSR);
    struct instruction instruction = guest_instruction();
    if (!instruction.length)
        return execute_again();
    u32 msr = user_msr(vcpu, &instruction);
    if (!user_may(msr, write ? USER_MSR_WRITES : 0))
        return inject_gp(vcpu);
    return write ? write_from(vcpu, msr, instruction.rm) : read_to(vcpu, msr, instruction.rm);
}

/* ---- Lists: each bit of RCX is an MSR, in the table at RSI, and its value, in that at RDI ---- */

static struct operand list_entry(u64 table, unsigned index)
{
    return (struct operand){DS, sizeof(u64), table + index * sizeof(u64), sizeof(u64)};
}

/* The exit comes anew for each MSR that is left. */
static enum exit_action one_done(struct vcpu *vcpu)
{
    vcpu->gpr[RCX] &= vcpu->gpr[RCX] - 1;
    if (!vcpu->gpr[RCX])
        return EXIT_ADVANCE;
    return next_iteration();
}

static unsigned next_index(const struct vcpu *vcpu)
{
    return vcpu->gpr[RCX] ? (unsigned)__builtin_ctzll(vcpu->gpr[RCX]) : 0;
}

enum exit_action exit_msr_list(struct vcpu *vcpu)
{
    bool write = is_exit(vcpu, EXIT_WRMSRLIST);
    unsigned index = next_index(vcpu);
    struct operand number = list_entry(vcpu->gpr[RSI], index);
    struct operand place = list_entry(vcpu->gpr[RDI], index);
    struct guest_fault fault;
    u64 msr, value;

    if (!operand_read(&number, &msr, &fault) || (write && !operand_read(&place, &value, &fault)))
        return inject_fault(vcpu, &fault);
    if (msr >> 32 || !(write ? msr_write(vcpu, (u32)msr, value) : msr_read(vcpu, (u32)msr, &value)))
        return inject_gp(vcpu);
    if (!write && !operand_write(&place, &value, &fault))
        return inject_fault(vcpu, &fault);
    return one_done(vcpu);
}
