/* Offsets and numbers for the assembly, taken from the C sources: compiled to text, never linked.
 */
#include "host/cpu.h"
#include "host/paging.h"
#include "tally.h"
#include "x86/msr.h"
#include "x86/vmcs.h"

_Static_assert(offsetof(struct vcpu, nmis) % 8 == 0 &&
                   offsetof(struct vcpu, gprs_changed) == offsetof(struct vcpu, nmis) + 4,
               "entry.asm looks at both as one");

#define DEFINE(name, value) __asm__ volatile("\n->" #name " %c0" : : "i"((int)(value)))

void offsets(void);
void offsets(void)
{
    DEFINE(VCPU_RAX, offsetof(struct vcpu, gpr[RAX]));
    DEFINE(VCPU_RCX, offsetof(struct vcpu, gpr[RCX]));
    DEFINE(VCPU_RDX, offsetof(struct vcpu, gpr[RDX]));
    DEFINE(VCPU_RBX, offsetof(struct vcpu, gpr[RBX]));
    DEFINE(VCPU_RBP, offsetof(struct vcpu, gpr[RBP]));
    DEFINE(VCPU_RSI, offsetof(struct vcpu, gpr[RSI]));
    DEFINE(VCPU_RDI, offsetof(struct vcpu, gpr[RDI]));
    DEFINE(VCPU_R8, offsetof(struct vcpu, gpr[R8]));
    DEFINE(VCPU_R9, offsetof(struct vcpu, gpr[R9]));
    DEFINE(VCPU_R10, offsetof(struct vcpu, gpr[R10]));
    DEFINE(VCPU_R11, offsetof(struct vcpu, gpr[R11]));
    DEFINE(VCPU_R12, offsetof(struct vcpu, gpr[R12]));
    DEFINE(VCPU_R13, offsetof(struct vcpu, gpr[R13]));
    DEFINE(VCPU_R14, offsetof(struct vcpu, gpr[R14]));
    DEFINE(VCPU_R15, offsetof(struct vcpu, gpr[R15]));
    DEFINE(VCPU_EXIT_TSC, offsetof(struct vcpu, exit_tsc));
    DEFINE(VCPU_COUNTER, offsetof(struct vcpu, counter));
    DEFINE(VCPU_NMIS, offsetof(struct vcpu, nmis));
    DEFINE(VCPU_GPRS_CHANGED, offsetof(struct vcpu, gprs_changed));
    DEFINE(VCPU_ENTRY_CONTROLS, offsetof(struct vcpu, controls.entry));
    DEFINE(SEEN_RAX, offsetof(struct vcpu, seen.rax));
    DEFINE(SEEN_RCX, offsetof(struct vcpu, seen.rcx));
    DEFINE(SEEN_RIP, offsetof(struct vcpu, seen.rip));
    DEFINE(SEEN_RFLAGS, offsetof(struct vcpu, seen.rflags));
    DEFINE(SEEN_CR0, offsetof(struct vcpu, seen.cr0));
    DEFINE(SEEN_CS_BASE, offsetof(struct vcpu, seen.cs_base));
    DEFINE(SEEN_CS_ACCESS_RIGHTS, offsetof(struct vcpu, seen.cs_access_rights));
    DEFINE(SEEN_SS_ACCESS_RIGHTS, offsetof(struct vcpu, seen.ss_access_rights));
    DEFINE(SEEN_ENTRY_CONTROLS, offsetof(struct vcpu, seen.entry_controls));
    DEFINE(GUEST_RIP, GUEST_RIP);
    DEFINE(GUEST_RFLAGS, GUEST_RFLAGS);
    DEFINE(GUEST_CR0, GUEST_CR0);
    DEFINE(GUEST_CS_BASE, GUEST_CS_BASE);
    DEFINE(GUEST_CS_ACCESS_RIGHTS, GUEST_CS_ACCESS_RIGHTS);
    DEFINE(GUEST_SS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS);
    DEFINE(AR_L, AR_L);
    DEFINE(COUNTER_CYCLES, offsetof(struct reason_counter, cycles));
    DEFINE(COUNTER_MIN, offsetof(struct reason_counter, min));
    DEFINE(COUNTER_MAX, offsetof(struct reason_counter, max));
    DEFINE(CPU_VCPU, offsetof(struct cpu, vcpu));
    DEFINE(CR0_PE, CR0_PE);
    DEFINE(CR0_NE, CR0_NE);
    DEFINE(CR0_WP, CR0_WP);
    DEFINE(CR0_NW, CR0_NW);
    DEFINE(CR0_CD, CR0_CD);
    DEFINE(CR0_PG, CR0_PG);
    DEFINE(CR4_PAE, CR4_PAE);
    DEFINE(CR4_OSFXSR, CR4_OSFXSR);
    DEFINE(CR4_OSXMMEXCPT, CR4_OSXMMEXCPT);
    DEFINE(IA32_EFER, IA32_EFER);
    DEFINE(EFER_LME, EFER_LME);
    DEFINE(EFER_NXE, EFER_NXE);
    DEFINE(HOST_CODE, HOST_CODE);
    DEFINE(HOST_DATA, HOST_DATA);
    DEFINE(DIRECT_MAP_HIGH, DIRECT_MAP >> 32);
}
