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

/* Of the recorder; hv/sites/recorded_exit.inc. */
static inline void recorder_offsets(void)
{
    DEFINE(SEEN_EAX, offsetof(struct vcpu, seen.eax));
    DEFINE(SEEN_ECX, offsetof(struct vcpu, seen.ecx));
    DEFINE(SEEN_MODE, offsetof(struct vcpu, seen.mode));
    DEFINE(SEEN_RIP, offsetof(struct vcpu, seen.rip));
    DEFINE(SEEN_LEGACY, SEEN_LEGACY);
    DEFINE(SEEN_IA32E_SHIFT, SEEN_IA32E_SHIFT);
    DEFINE(SEEN_PE_SHIFT, SEEN_PE_SHIFT);
    DEFINE(SEEN_REASON_SHIFT, SEEN_REASON_SHIFT);
    DEFINE(SOURCE_FIELDS, SOURCE_FIELDS);
    DEFINE(EPT_ACCESS, EPT_ACCESS);
    DEFINE(EXIT_QUALIFICATION, EXIT_QUALIFICATION);
    DEFINE(GUEST_PHYSICAL_ADDRESS, GUEST_PHYSICAL_ADDRESS);
    DEFINE(PAGE_SIZE, PAGE_SIZE);
    DEFINE(RFLAGS_IF, RFLAGS_IF);
    DEFINE(RECORDER_KNOWN, offsetof(struct vcpu, recorder.known));
    DEFINE(RECORDER_SEQUENCE, offsetof(struct vcpu, recorder.sequence));
    DEFINE(RECORDER_TRACE, offsetof(struct vcpu, recorder.trace));
    DEFINE(RECORDER_TRACE_NEXT, offsetof(struct vcpu, recorder.trace_next));
    DEFINE(RECORDER_TRACE_END, offsetof(struct vcpu, recorder.trace_end));
    DEFINE(RECORDER_TRACE_TURN, offsetof(struct vcpu, recorder.trace_turn));
    DEFINE(RECORDER_CYCLES, offsetof(struct vcpu, recorder.cycles));
    DEFINE(RECORDER_LEARNT, offsetof(struct vcpu, recorder.learnt));
    DEFINE(KNOWN_SITES_SHIFT, KNOWN_SITES_SHIFT);
    DEFINE(KNOWN_SIZE_SHIFT, KNOWN_SIZE_SHIFT);
    DEFINE(KNOWN_RIP, offsetof(struct known_site, rip));
    DEFINE(KNOWN_DETAIL, offsetof(struct known_site, detail));
    DEFINE(KNOWN_WHAT, offsetof(struct known_site, what));
    DEFINE(KNOWN_COUNTER, offsetof(struct known_site, counter));
    DEFINE(KNOWN_BUCKETS, offsetof(struct known_site, buckets));
    DEFINE(KNOWN_KEY_RIP, offsetof(struct known_site, key_rip));
    DEFINE(KNOWN_KEY_DETAIL, offsetof(struct known_site, key_detail));
    DEFINE(KNOWN_TRACED, offsetof(struct known_site, vcpu));
    DEFINE(HISTOGRAM_BUCKETS, HISTOGRAM_BUCKETS);
    DEFINE(TRACE_TIME, offsetof(struct trace_record, time));
    DEFINE(TRACE_RIP, offsetof(struct trace_record, rip));
    DEFINE(TRACE_DETAIL, offsetof(struct trace_record, detail));
    DEFINE(TRACE_CYCLES, offsetof(struct trace_record, cycles));
    DEFINE(TRACE_VCPU, offsetof(struct trace_record, vcpu));
    DEFINE(TRACE_RECORD_SIZE, sizeof(struct trace_record));
    DEFINE(TRACE_WRITTEN, offsetof(struct trace_log, written));
    DEFINE(FACTS_START_TSC, offsetof(struct run_facts, start_tsc));
}

void offsets(void);
void offsets(void)
{
    DEFINE(VCPU_rax, offsetof(struct vcpu, gpr[RAX]));
    DEFINE(VCPU_rcx, offsetof(struct vcpu, gpr[RCX]));
    DEFINE(VCPU_rdx, offsetof(struct vcpu, gpr[RDX]));
    DEFINE(VCPU_rbx, offsetof(struct vcpu, gpr[RBX]));
    DEFINE(VCPU_rbp, offsetof(struct vcpu, gpr[RBP]));
    DEFINE(VCPU_rsi, offsetof(struct vcpu, gpr[RSI]));
    DEFINE(VCPU_rdi, offsetof(struct vcpu, gpr[RDI]));
    DEFINE(VCPU_r8, offsetof(struct vcpu, gpr[R8]));
    DEFINE(VCPU_r9, offsetof(struct vcpu, gpr[R9]));
    DEFINE(VCPU_r10, offsetof(struct vcpu, gpr[R10]));
    DEFINE(VCPU_r11, offsetof(struct vcpu, gpr[R11]));
    DEFINE(VCPU_r12, offsetof(struct vcpu, gpr[R12]));
    DEFINE(VCPU_r13, offsetof(struct vcpu, gpr[R13]));
    DEFINE(VCPU_r14, offsetof(struct vcpu, gpr[R14]));
    DEFINE(VCPU_r15, offsetof(struct vcpu, gpr[R15]));
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
