/*
 * A machine check that comes while Tally runs tells of the machine, not of Tally: if the CPU can go
 * on, it is the guest's. Noted where the last look before the entry finds it; take_nmis() hands it
 * on. SDM vol. 3, 'IA32_MCG_STATUS MSR'.
 */
#include "host/cpu.h"
#include "host/traps.h"
#include "lib/atomic.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define MCG_STATUS_RIPV BIT(0) /* what was interrupted can go on */

extern const u64 last_look[2]; /* in exits/entry.asm: from the look to after VMRESUME */

bool note_machine_check(struct trap_frame *f)
{
    struct cpu *cpu = (struct cpu *)(rdmsr(IA32_GS_BASE) - offsetof(struct cpu, vcpu));
    bool in_a_trap = f->rsp - (u64)cpu->ist < sizeof(cpu->ist); /* whose stack it may share */
    if (in_a_trap || !(rdmsr(IA32_MCG_STATUS) & MCG_STATUS_RIPV))
        return false;
    atomic_or(&cpu->vcpu.nmis, NMIS_MACHINE_CHECK);
    if (f->rip >= last_look[0] && f->rip < last_look[1])
        f->rip = last_look[0];
    return true;
}
