/* The guest's registers at its start and after INIT. */
#include "guest_start.h"
#include "lib/atomic.h"
#include "vmx/access.h"
#include "vmx/controls.h"
#include "vmx/guest_state.h"
#include "vmx/vmcs.h"
#include "x86/instructions.h"

struct segment_state {
    u16 selector;
    u32 access_rights, limit;
    u64 base;
};

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

static void set_control_registers(struct vcpu *vcpu, u64 cr0)
{
    vmwrite(CR0_READ_SHADOW, cr0);
    vmwrite(GUEST_CR0, cr0 | CR0_NE);
    vmwrite(CR4_READ_SHADOW, 0);
    vmwrite(GUEST_CR4, CR4_VMXE);
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
