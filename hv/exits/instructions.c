/* Instructions that take a few lines each. */
#include "lib/safe.h"
#include "emulate/handlers.h"
#include "features.h"
#include "vmx/advance.h"
#include "lib/print.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* Faults as on a CPU without the feature. SDM vol. 2: #UD comes before any other check. */
enum exit_action exit_hidden_instruction(struct vcpu *vcpu)
{
    return inject_ud(vcpu);
}

/* MONITOR, MWAIT and PAUSE are hints: doing nothing is a correct way to carry them out. */
enum exit_action exit_no_operation(struct vcpu *vcpu)
{
    (void)vcpu;
    return EXIT_ADVANCE;
}

/* INVD too: thrown away cache lines could be Tally's own. */
enum exit_action exit_wbinvd(struct vcpu *vcpu)
{
    (void)vcpu;
    wbinvd();
    return EXIT_ADVANCE;
}

enum exit_action exit_invlpg(struct vcpu *vcpu)
{
    flush_guest_page(vcpu, vmread(EXIT_QUALIFICATION));
    return EXIT_ADVANCE;
}

static void set_edx_eax(struct vcpu *vcpu, u64 value)
{
    vcpu->gpr[RAX] = (u32)value;
    vcpu->gpr[RDX] = value >> 32;
}

enum exit_action exit_rdtsc(struct vcpu *vcpu)
{
    set_edx_eax(vcpu, rdtsc());
    return EXIT_ADVANCE;
}

enum exit_action exit_rdtscp(struct vcpu *vcpu)
{
    set_edx_eax(vcpu, rdtsc());
    vcpu->gpr[RCX] = (u32)rdmsr(IA32_TSC_AUX);
    return EXIT_ADVANCE;
}

enum exit_action exit_rdpmc(struct vcpu *vcpu)
{
    u64 value;
    if (!rdpmc_safe((u32)vcpu->gpr[RCX], &value))
        return inject_gp(vcpu);
    set_edx_eax(vcpu, value);
    return EXIT_ADVANCE;
}

/* Hardware judges which components go together. */
enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
    u32 index = (u32)vcpu->gpr[RCX];
    u64 value = vcpu->gpr[RDX] << 32 | (u32)vcpu->gpr[RAX];

    if (!(guest_visible_cr4(vcpu) & CR4_OSXSAVE))
        return inject_ud(vcpu);
    /* Some CPUs leave the privilege check to the hypervisor. */
    if (guest_cpl() != 0 || (value & ~features_bits(FEATURES_XCR0)) || !xsetbv_safe(index, value))
        return inject_gp(vcpu);
    return EXIT_ADVANCE;
}

/* The instruction runs by itself; from the exit after it on, the next one is seen again. With
 * chores this exit, too, has them yet to do. */
enum exit_action exit_xsaves_xrstors(struct vcpu *vcpu)
{
    vmwrite(XSS_EXITING_BITMAP, 0);
    vcpu_add_chore(vcpu, vcpu->chores ? CHORE_REARM_LATER : CHORE_REARM);
    return execute_again();
}

/* PASID translation stays off; an invalid PASID gives #GP on any CPU. */
enum exit_action exit_enqcmd_pasid(struct vcpu *vcpu)
{
    return inject_gp(vcpu);
}

/* The access is done: a locked one, the virtual APIC's EOI, for which no device waits, or a write
 * that stands in its page already. The counter tells. */
enum exit_action exit_done_already(struct vcpu *vcpu)
{
    (void)vcpu;
    return EXIT_RETRY;
}

#define TIMEOUT_CONTEXT_INVALID BIT(0)

enum exit_action exit_instruction_timeout(struct vcpu *vcpu)
{
    if (vmread(EXIT_QUALIFICATION) & TIMEOUT_CONTEXT_INVALID) {
        say("the guest's CPU %u hung in one instruction and lost its context", vcpu->index);
        return EXIT_STOP;
    }
    return EXIT_RETRY;
}

/*
 * A number that the SDM does not define. An instruction that Tally does not know gets #UD, so that
 * a program in the guest cannot end it; anything else must not go on.
 */
enum exit_action exit_undefined(struct vcpu *vcpu)
{
    u64 length = vmread(VM_EXIT_INSTRUCTION_LENGTH);
    bool instruction = length >= 1 && length <= 15 && !(vmread(IDT_VECTORING_INFO) >> 31);
    if (instruction)
        return inject_ud(vcpu);
    say("exit reason %x is not defined: qualification %lx, RIP %lx", vcpu->exit_reason,
        vmread(EXIT_QUALIFICATION), vmread(GUEST_RIP));
    return EXIT_STOP;
}
