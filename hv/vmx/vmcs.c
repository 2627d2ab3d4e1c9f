#include "vmx/vmcs.h"
#include "host/traps.h"
#include "lib/print.h"
#include "lib/string.h"
#include "tally.h"
#include "host/frames.h"
#include "host/paging.h"
#include "vmx/access.h"
#include "vmx/bitmaps.h"
#include "vmx/controls.h"
#include "vmx/guest_state.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "lib/atomic.h"

#define CPUID_1_ECX_VMX BIT(5)

const char *vmx_check(void)
{
    struct cpuid_result below = cpuid(LEAF_HYPERVISOR, 0);
    if (memcmp(&below.ebx, TALLY_SIGNATURE, 12) == 0)
        return "Tally runs on this machine already, and has no VMX for a second one";
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return "this CPU has no VMX; use an Intel CPU with VT-x, or an emulator that offers it";
    u64 control = rdmsr(IA32_FEATURE_CONTROL);
    if (!(control & FEATURE_CONTROL_LOCK)) {
        control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
        wrmsr(IA32_FEATURE_CONTROL, control);
    }
    if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX))
        return "VMX is switched off and locked by the firmware; switch on VT-x in its set-up";
    return NULL;
}

static bool vmxon(u64 region)
{
    __asm__ goto("vmxon %0\n\tjna %l1" : : "m"(region) : "cc", "memory" : failed);
    return true;
failed:
    return false;
}

static bool vmclear_and_load(u64 vmcs)
{
    __asm__ goto("vmclear %0\n\tjna %l1\n\tvmptrld %0\n\tjna %l1"
                 :
                 : "m"(vmcs)
                 : "cc", "memory"
                 : failed);
    return true;
failed:
    return false;
}

void vmx_enable(struct cpu *cpu, const struct vmx_capabilities *c)
{
    write_cr0((read_cr0() | c->cr0_fixed0) & c->cr0_fixed1);
    write_cr4((read_cr4() | c->cr4_fixed0 | CR4_VMXE | CR4_MCE) & c->cr4_fixed1);
    u32 revision = (u32)(c->basic & VMX_BASIC_REVISION);
    *(u32 *)cpu->vmxon_region = revision;
    *(u32 *)cpu->vmcs = revision;
    if (!vmxon(own_physical(cpu->vmxon_region)))
        fatal("VMXON failed on CPU %u (APIC id %u)", cpu->vcpu.index, cpu->vcpu.apic_id);
    flush_ept(); /* what firmware or a hypervisor before has left outlives VMXOFF and VMXON */
    if (!vmclear_and_load(own_physical(cpu->vmcs)))
        fatal("VMCLEAR or VMPTRLD failed on CPU %u", cpu->vcpu.index);
}

void vmx_disable(struct cpu *cpu)
{
    u64 vmcs = own_physical(cpu->vmcs);
    __asm__ volatile("vmclear %0\n\tvmxoff" : : "m"(vmcs) : "cc", "memory");
}

static void write_host_state(struct cpu *cpu)
{
    static const enum vmcs_field null_selectors[] = {HOST_ES_SELECTOR, HOST_DS_SELECTOR,
                                                     HOST_FS_SELECTOR, HOST_GS_SELECTOR};
    for (unsigned i = 0; i < ARRAY_SIZE(null_selectors); i++)
        vmwrite(null_selectors[i], 0);
    vmwrite(HOST_CS_SELECTOR, HOST_CODE);
    vmwrite(HOST_SS_SELECTOR, HOST_DATA);
    vmwrite(HOST_TR_SELECTOR, HOST_TASK);
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, (u64)&cpu->vcpu);
    vmwrite(HOST_TR_BASE, (u64)&cpu->tss);
    vmwrite(HOST_GDTR_BASE, (u64)cpu->gdt);
    vmwrite(HOST_IDTR_BASE, traps_base());
    vmwrite(HOST_IA32_SYSENTER_CS, 0);
    vmwrite(HOST_IA32_SYSENTER_ESP, 0);
    vmwrite(HOST_IA32_SYSENTER_EIP, 0);
    vmwrite(HOST_IA32_PAT, rdmsr(IA32_PAT));
    vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, own_cr3());
    /* OSXSAVE: XSETBV is carried out for the guest. */
    bool xsave = cpuid(1, 0).ecx & BIT(26);
    vmwrite(HOST_CR4, read_cr4() | (xsave ? CR4_OSXSAVE : 0));
    vmwrite(HOST_RSP, (u64)&cpu->vcpu);
    vcpu_add_chore(&cpu->vcpu, 0);
}

static void write_execution_control(struct vcpu *vcpu, u64 ept_pointer)
{
    controls_write(&vcpu->controls);
    if (vcpu->controls.proc & PROC_USE_IO_BITMAPS) {
        vmwrite(IO_BITMAP_A, io_bitmap_physical(0));
        vmwrite(IO_BITMAP_B, io_bitmap_physical(1));
    }
    if (vcpu->controls.proc & PROC_USE_MSR_BITMAPS)
        vmwrite(MSR_BITMAP, msr_bitmap_physical());
    if (vcpu->controls.proc2 & PROC2_ENABLE_VPID)
        vmwrite(VIRTUAL_PROCESSOR_ID, vcpu->vpid);
    vmwrite(EPT_POINTER, ept_pointer);
    vmwrite(TSC_OFFSET, 0);
    vmwrite(CR3_TARGET_COUNT, 0);
    vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
    vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, 0);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
}

void vmcs_init(struct cpu *cpu, const struct vmx_capabilities *c, u64 ept_pointer)
{
    struct vcpu *vcpu = &cpu->vcpu;
    vcpu->vpid = (u16)(vcpu->index + 1);
    invalidate_init(c->ept_vpid);
    write_host_state(cpu);
    write_execution_control(vcpu, ept_pointer);
    vmwrite(GUEST_IA32_PAT, rdmsr(IA32_PAT));
    vmwrite(GUEST_IA32_DEBUGCTL, 0);
    vmwrite(GUEST_PDPTE0, 0);
    vmwrite(GUEST_PDPTE1, 0);
    vmwrite(GUEST_PDPTE2, 0);
    vmwrite(GUEST_PDPTE3, 0);
    vmcs_set_init_state(vcpu);
}

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
