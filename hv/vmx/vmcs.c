#include "vmx/vmcs.h"
#include "host/traps.h"
#include "lib/print.h"
#include "lib/string.h"
#include "tally.h"
#include "host/paging.h"
#include "vmx/access.h"
#include "vmx/controls.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"
#include "x86/msr.h"

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

const char *vmx_check_other(enum tally_profile profile, const struct controls *boot_cpus)
{
    struct vmx_capabilities c;
    struct controls controls = {0};
    const char *problem = vmx_check();
    if (problem)
        return problem;
    vmx_capabilities_read(&c, rdmsr, cpuid(0x80000008, 0).eax);
    problem = controls_negotiate(&c, profile, &controls);
    if (problem)
        return problem;
    /* What is in use and not required; in others the cores of a hybrid CPU may differ. */
    u64 used = EPT_CAP_1G | VPID_CAP_INDIVIDUAL_ADDRESS | VPID_CAP_SINGLE_RETAIN_GLOBALS;
    bool same = memcmp(&controls, boot_cpus, sizeof(controls)) == 0 &&
                c.basic == vmx_capabilities.basic &&
                !((c.ept_vpid ^ vmx_capabilities.ept_vpid) & used);
    return same ? NULL : "its VMX capabilities are not those of the boot CPU";
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

static void write_zeros(void)
{
    /* clang-format off */
    static const u16 fields[] = {
        HOST_ES_SELECTOR, HOST_DS_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR, HOST_FS_BASE,
        HOST_IA32_SYSENTER_CS, HOST_IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_EIP,
        VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_LOAD_COUNT, VM_ENTRY_MSR_LOAD_COUNT,
        VM_ENTRY_INTERRUPTION_INFO, TSC_OFFSET, CR3_TARGET_COUNT, GUEST_IA32_DEBUGCTL,
        GUEST_PDPTE0, GUEST_PDPTE1, GUEST_PDPTE2, GUEST_PDPTE3,
    };
    /* clang-format on */
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
        vmwrite(fields[i], 0);
}

static void write_host_state(struct cpu *cpu)
{
    vmwrite(HOST_CS_SELECTOR, HOST_CODE);
    vmwrite(HOST_SS_SELECTOR, HOST_DATA);
    vmwrite(HOST_TR_SELECTOR, HOST_TASK);
    vmwrite(HOST_GS_BASE, (u64)&cpu->vcpu);
    vmwrite(HOST_TR_BASE, (u64)&cpu->tss);
    vmwrite(HOST_GDTR_BASE, (u64)cpu->gdt);
    vmwrite(HOST_IDTR_BASE, trap_idtr.base);
    vmwrite(HOST_IA32_PAT, rdmsr(IA32_PAT));
    vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, own_cr3);
    /* OSXSAVE: XSETBV is carried out for the guest. */
    bool xsave = cpuid(1, 0).ecx & BIT(26);
    vmwrite(HOST_CR4, read_cr4() | (xsave ? CR4_OSXSAVE : 0));
    vmwrite(HOST_RSP, (u64)&cpu->vcpu);
    vcpu_add_chore(&cpu->vcpu, 0);
}

static void write_execution_control(struct vcpu *vcpu, u64 ept_pointer)
{
    controls_write(&vcpu->controls);
    vmwrite(IO_BITMAP_A, io_bitmap_physical(0));
    vmwrite(IO_BITMAP_B, io_bitmap_physical(1));
    if (vcpu->controls.proc & PROC_USE_MSR_BITMAPS)
        vmwrite(MSR_BITMAP, msr_bitmap_physical());
    if (vcpu->controls.proc2 & PROC2_ENABLE_VPID)
        vmwrite(VIRTUAL_PROCESSOR_ID, vcpu->vpid);
    vmwrite(EPT_POINTER, ept_pointer);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
}

void vmcs_init(struct cpu *cpu, u64 ept_pointer)
{
    struct vcpu *vcpu = &cpu->vcpu;
    vcpu->vpid = (u16)(vcpu->index + 1);
    write_zeros();
    write_host_state(cpu);
    write_execution_control(vcpu, ept_pointer);
    vmwrite(GUEST_IA32_PAT, rdmsr(IA32_PAT));
    vmcs_set_init_state(vcpu);
}
