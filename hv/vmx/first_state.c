/* The guest's first states in the VMCS: as a boot protocol has it, after INIT, as found. */
#include "lib/atomic.h"
#include "lib/string.h"
#include "vmx/access.h"
#include "vmx/guest_state.h"
#include "vmx/vmcs.h"
#include "x86/instructions.h"

/* Accessed code and data of ring 0, and what LDTR and TR hold at reset. */
#define AR_CODE (AR_P | AR_S | 0xB)
#define AR_DATA (AR_P | AR_S | 0x3)
#define AR_LDT (AR_P | 0x2)
#define AR_TSS_BUSY (AR_P | 0xB)

static void write_registers(const struct found_state *state)
{
    for (enum segment s = ES; s <= TR; s++) {
        vmwrite(segment_selector(s), state->segment[s].selector);
        vmwrite(segment_access_rights(s), state->segment[s].access_rights);
        vmwrite(segment_limit(s), state->segment[s].limit);
        vmwrite(segment_base(s), state->segment[s].base);
    }
    vmwrite(GUEST_GDTR_BASE, state->gdtr.base);
    vmwrite(GUEST_GDTR_LIMIT, state->gdtr.limit);
    vmwrite(GUEST_IDTR_BASE, state->idtr.base);
    vmwrite(GUEST_IDTR_LIMIT, state->idtr.limit);
    vmwrite(GUEST_IA32_SYSENTER_CS, state->sysenter[0]);
    vmwrite(GUEST_IA32_SYSENTER_ESP, state->sysenter[1]);
    vmwrite(GUEST_IA32_SYSENTER_EIP, state->sysenter[2]);
    vmwrite(CR0_READ_SHADOW, state->cr0);
    vmwrite(GUEST_CR0, state->cr0 | CR0_NE);
    vmwrite(CR4_READ_SHADOW, state->cr4);
    vmwrite(GUEST_CR4, state->cr4 | CR4_VMXE);
    vmwrite(GUEST_CR3, state->cr3);
    vmwrite(GUEST_IA32_EFER, state->efer);
    vmwrite(GUEST_DR7, state->dr7);
    vmwrite(GUEST_RFLAGS, state->rflags);
    vmwrite(GUEST_RIP, state->rip);
    vmwrite(GUEST_RSP, state->rsp);
}

void vmcs_set_state(struct vcpu *vcpu, const struct found_state *state,
                    enum activity_state activity)
{
    bool long_mode = state->efer & EFER_LMA;
    write_registers(state);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmwrite(GUEST_ACTIVITY_STATE, activity);
    vcpu->controls.entry &= ~(u32)ENTRY_IA32E_MODE_GUEST;
    vcpu->controls.entry |= long_mode ? ENTRY_IA32E_MODE_GUEST : 0;
    vmwrite(VM_ENTRY_CONTROLS, vcpu->controls.entry);
    memcpy(vcpu->gpr, state->gpr, sizeof(vcpu->gpr));
    vcpu->gprs_changed = true;
    vcpu->halted = vcpu->parked = false;
    atomic_store(&vcpu->presence, activity == ACTIVITY_ACTIVE ? RUNS : WAITS_FOR_SIPI);
}

/* Without paging, all segments but CS alike, with the rights `flat` more; what is not named is 0.
 */
static __attribute__((noinline)) void plain_state(struct found_state *state, u64 cr0, u16 selector,
                                                  u32 flat, u32 limit)
{
    *state = (struct found_state){
        .cr0 = cr0,
        .dr7 = DR7_FIXED,
        .rflags = RFLAGS_FIXED,
        .gdtr.limit = 0xFFFF,
        .idtr.limit = 0xFFFF,
        .segment[LDTR] = {0, AR_LDT, 0xFFFF, 0},
        .segment[TR] = {0, AR_TSS_BUSY, 0xFFFF, 0},
    };
    for (enum segment s = ES; s <= GS; s++)
        state->segment[s] = (struct segment_state){selector, AR_DATA | flat, limit, 0};
    state->segment[CS].access_rights = AR_CODE | flat;
}

void vmcs_set_start_state(struct vcpu *vcpu, const struct guest_start *start)
{
    bool real = start->real_mode;
    struct found_state state;
    plain_state(&state, CR0_ET | (real ? 0 : CR0_PE), start->data_selector, real ? 0 : AR_DB | AR_G,
                real ? 0xFFFF : ~0u);
    state.segment[CS].selector = start->code_selector;
    if (!real)
        state.gdtr = (struct descriptor_table_register){start->gdt_limit, start->gdt_base};
    state.rip = start->entry;
    state.rsp = start->esp;
    state.gpr[RAX] = start->eax;
    state.gpr[RBX] = start->ebx;
    state.gpr[RSI] = start->esi;
    state.gpr[RDX] = start->edx;
    vmcs_set_state(vcpu, &state, ACTIVITY_ACTIVE);
}

void vmcs_set_init_state(struct vcpu *vcpu)
{
    struct found_state state;
    plain_state(&state, CR0_ET | (read_cr0() & (CR0_CD | CR0_NW)), 0, 0, 0xFFFF);
    state.segment[CS].selector = 0xF000;
    state.segment[CS].base = 0xFFFF0000;
    state.rip = 0xFFF0;
    state.gpr[RDX] = cpuid(1, 0).eax; /* the processor's signature */
    vmcs_set_state(vcpu, &state, ACTIVITY_WAIT_FOR_SIPI);
}
