/* Offsets and numbers for the assembly, from the C sources: compiled to text, never linked. */
#include "host/cpu.h"
#include "host/paging.h"
#include "efi/services.h"
#include "sites/sites.h"
#include "tally.h"
#include "x86/msr.h"
#include "x86/vmx.h"

_Static_assert(offsetof(struct vcpu, nmis) % 8 == 0 &&
                   offsetof(struct vcpu, gprs_changed) == offsetof(struct vcpu, nmis) + 4,
               "entry.asm looks at both as one");

#define DEFINE(name, value) __asm__ volatile("\n->" #name " %c0" : : "i"((int)(value)))

#include "sites/offsets.h"

void offsets(void);
void offsets(void)
{
    DEFINE(VCPU_GPRS, offsetof(struct vcpu, gpr));
    DEFINE(VCPU_EXIT_TSC, offsetof(struct vcpu, exit_tsc));
    DEFINE(VCPU_COUNTER, offsetof(struct vcpu, counter));
    DEFINE(VCPU_NMIS, offsetof(struct vcpu, nmis));
    DEFINE(VCPU_GPRS_CHANGED, offsetof(struct vcpu, gprs_changed));
    DEFINE(VCPU_EXIT_REASON, offsetof(struct vcpu, exit_reason));
    DEFINE(VCPU_ENTRY_CONTROLS, offsetof(struct vcpu, controls.entry));
    DEFINE(VCPU_CHORES, offsetof(struct vcpu, chores));
    DEFINE(VCPU_MARK_WAITS, offsetof(struct vcpu, mark_waits));
    DEFINE(VCPU_TSC_MOVED, offsetof(struct vcpu, tsc_moved));
    DEFINE(CHORE_RECORD, CHORE_RECORD);
    DEFINE(CHORE_SAMPLE, CHORE_SAMPLE);
    DEFINE(GUEST_RIP, GUEST_RIP);
    DEFINE(GUEST_RFLAGS, GUEST_RFLAGS);
    DEFINE(GUEST_CR0, GUEST_CR0);
    DEFINE(GUEST_CS_BASE, GUEST_CS_BASE);
    DEFINE(GUEST_CS_ACCESS_RIGHTS, GUEST_CS_ACCESS_RIGHTS);
    DEFINE(GUEST_SS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS);
    DEFINE(VM_ENTRY_INTERRUPTION_INFO, VM_ENTRY_INTERRUPTION_INFO);
    DEFINE(ENTRY_IA32E_MODE_GUEST, ENTRY_IA32E_MODE_GUEST);
    DEFINE(AR_L, AR_L);
    DEFINE(RFLAGS_VM, RFLAGS_VM);
    DEFINE(EXIT_REASONS, EXIT_REASONS);
    DEFINE(COUNTER_COUNT, offsetof(struct reason_counter, count));
    DEFINE(COUNTER_CYCLES, offsetof(struct reason_counter, cycles));
    DEFINE(COUNTER_MIN, offsetof(struct reason_counter, min));
    DEFINE(COUNTER_MAX, offsetof(struct reason_counter, max));
    recorder_offsets();
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
    DEFINE(LEAF_MARK, LEAF_MARK);
    DEFINE(EFI_STATE_CR3, offsetof(struct efi_state, cr3));
    DEFINE(EFI_STATE_RSP, offsetof(struct efi_state, rsp));
    DEFINE(EFI_STATE_GDTR, offsetof(struct efi_state, gdtr));
    DEFINE(EFI_STATE_IDTR, offsetof(struct efi_state, idtr));
    DEFINE(EFI_STATE_CS, offsetof(struct efi_state, cs));
    DEFINE(EFI_STATE_SS, offsetof(struct efi_state, ss));
    DEFINE(EFI_STATE_DS, offsetof(struct efi_state, ds));
    DEFINE(HOST_CODE, HOST_CODE);
    DEFINE(HOST_DATA, HOST_DATA);
    DEFINE(DIRECT_MAP_HIGH, DIRECT_MAP >> 32);
}
