/* The guest's first states in the VMCS: as a boot protocol has it, after INIT, as found. */
#include "lib/atomic.h"
#include "lib/string.h"
#include "vmx/access.h"
#include "vmx/guest_state.h"
#include "vmx/vmcs.h"
#include "x86/instructions.h"
#include "x86/msr.h"

static void set_segment(enum segment s, const struct segment_state *state)
{
    vmwrite(segment_selector(s), state->selector);
    vmwrite(segment_access_rights(s), state->access_rights);
    vmwrite(segment_limit(s), state->limit);
    vmwrite(segment_base(s), state->base);
}

/* Accessed code and data of ring 0, and what LDTR and TR hold at reset. */
#define AR_CODE (AR_P | AR_S | 0xB)
#define AR_DATA (AR_P | AR_S | 0x3)
#define AR_LDT (AR_P | 0x2)
#define AR_TSS_BUSY (AR_P | 0xB)

static void set_tables_and_system_segments(void)
{
    const struct segment_state ldt = {0, AR_LDT, 0xFFFF, 0};
    const struct segment_state tss = {0, AR_TSS_BUSY, 0xFFFF, 0};
    set_segment(LDTR, &ldt);
    set_segment(TR, &tss);
    vmwrite(GUEST_GDTR_BASE, 0);
    vmwrite(GUEST_GDTR_LIMIT, 0xFFFF);
    vmwrite(GUEST_IDTR_BASE, 0);
    vmwrite(GUEST_IDTR_LIMIT, 0xFFFF);
    vmwrite(GUEST_IA32_SYSENTER_CS, 0);
    vmwrite(GUEST_IA32_SYSENTER_ESP, 0);
    vmwrite(GUEST_IA32_SYSENTER_EIP, 0);
}

static void set_cr0_and_cr4(u64 cr0, u64 cr4)
{
    vmwrite(CR0_READ_SHADOW, cr0);
    vmwrite(GUEST_CR0, cr0 | CR0_NE);
    vmwrite(CR4_READ_SHADOW, cr4);
    vmwrite(GUEST_CR4, cr4 | CR4_VMXE);
}

static void set_control_registers(struct vcpu *vcpu, u64 cr0)
{
    set_cr0_and_cr4(cr0, 0);
    vmwrite(GUEST_CR3, 0);
    vmwrite(GUEST_IA32_EFER, 0);
    vcpu->controls.entry &= ~(u32)ENTRY_IA32E_MODE_GUEST;
    vmwrite(VM_ENTRY_CONTROLS, vcpu->controls.entry);
    vmwrite(GUEST_DR7, DR7_FIXED);
    vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}

static void set_segments(const struct segment_state *code, const struct segment_state *data)
{
    set_segment(CS, code);
    for (enum segment s = ES; s <= GS; s++)
        if (s != CS)
            set_segment(s, data);
    set_tables_and_system_segments();
}

static void set_real_mode_segments(u16 selector, u64 base)
{
    const struct segment_state code = {selector, AR_CODE, 0xFFFF, base};
    const struct segment_state data = {0, AR_DATA, 0xFFFF, 0};
    set_segments(&code, &data);
}

static void set_flat_segments(const struct guest_start *start)
{
    const struct segment_state code = {start->code_selector, AR_CODE | AR_DB | AR_G, ~0u, 0};
    const struct segment_state data = {start->data_selector, AR_DATA | AR_DB | AR_G, ~0u, 0};
    set_segments(&code, &data);
    vmwrite(GUEST_GDTR_BASE, start->gdt_base);
    vmwrite(GUEST_GDTR_LIMIT, start->gdt_limit);
}

void vmcs_set_start_state(struct vcpu *vcpu, const struct guest_start *start)
{
    if (start->real_mode)
        set_real_mode_segments(0, 0);
    else
        set_flat_segments(start);
    set_control_registers(vcpu, start->real_mode ? CR0_ET : CR0_PE | CR0_ET);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    vmwrite(GUEST_RIP, start->entry);
    vmwrite(GUEST_RSP, start->esp);
    vcpu->gpr[RAX] = start->eax;
    vcpu->gpr[RBX] = start->ebx;
    vcpu->gpr[RSI] = start->esi;
    vcpu->gpr[RDX] = start->edx; /* INIT has left the processor's signature there */
    vcpu->presence = RUNS;
}

void vmcs_set_init_state(struct vcpu *vcpu)
{
    set_real_mode_segments(0xF000, 0xFFFF0000);
    set_control_registers(vcpu, CR0_ET | (read_cr0() & (CR0_CD | CR0_NW)));
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
    vmwrite(GUEST_RIP, 0xFFF0);
    vmwrite(GUEST_RSP, 0);
    for (unsigned i = 0; i < GPRS; i++)
        vcpu->gpr[i] = 0;
    vcpu->gprs_changed = true;
    vcpu->gpr[RDX] = cpuid(1, 0).eax;
    vcpu->halted = vcpu->parked = false;
    atomic_store(&vcpu->presence, WAITS_FOR_SIPI);
}

void vmcs_set_found_state(struct vcpu *vcpu, const struct found_state *found)
{
    for (enum segment s = ES; s <= TR; s++)
        set_segment(s, &found->segment[s]);
    vmwrite(GUEST_GDTR_BASE, found->gdtr.base);
    vmwrite(GUEST_GDTR_LIMIT, found->gdtr.limit);
    vmwrite(GUEST_IDTR_BASE, found->idtr.base);
    vmwrite(GUEST_IDTR_LIMIT, found->idtr.limit);
    vmwrite(GUEST_IA32_SYSENTER_CS, rdmsr(IA32_SYSENTER_CS));
    vmwrite(GUEST_IA32_SYSENTER_ESP, rdmsr(IA32_SYSENTER_ESP));
    vmwrite(GUEST_IA32_SYSENTER_EIP, rdmsr(IA32_SYSENTER_EIP));
    set_cr0_and_cr4(found->cr0, found->cr4);
    vmwrite(GUEST_CR3, found->cr3);
    vmwrite(GUEST_IA32_EFER, found->efer);
    vcpu->controls.entry |= ENTRY_IA32E_MODE_GUEST;
    vmwrite(VM_ENTRY_CONTROLS, vcpu->controls.entry);
    vmwrite(GUEST_DR7, found->dr7);
    vmwrite(GUEST_RFLAGS, found->rflags);
    vmwrite(GUEST_RIP, found->rip);
    vmwrite(GUEST_RSP, found->rsp);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    memcpy(vcpu->gpr, found->gpr, sizeof(vcpu->gpr));
    atomic_store(&vcpu->presence, RUNS);
}
