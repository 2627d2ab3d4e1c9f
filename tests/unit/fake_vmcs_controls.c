/* What Tally itself puts into a VMCS, on a CPU like Bochs' broadwell_ult. */
#include "fake_vmcs.h"

#include "vmx/capabilities.h"
#include "x86/instructions.h"

void fake_set_controls(void)
{
    struct controls *c = &fake_vcpu.controls;
    *c = (struct controls){
        .pin = 0x16 | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
        .proc = 0x04006172 | PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS | PROC_ACTIVATE_SECONDARY,
        .proc2 = PROC2_ENABLE_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_VPID |
                 PROC2_ENABLE_RDTSCP | PROC2_ENABLE_INVPCID,
        .exit = 0x36DFB | EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_PAT |
                EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
        .entry = 0x11FB | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER,
        .exception_bitmap = BIT(VECTOR_DB) | BIT(VECTOR_AC),
        .cr0_mask = CR0_PG | CR0_NE,
        .cr4_mask = CR4_VMXE,
        .cr4_allowed = 0x3727FF & ~CR4_VMXE,
    };
    fake_set(PIN_BASED_CONTROLS, c->pin);
    fake_set(PRIMARY_PROCBASED_CONTROLS, c->proc);
    fake_set(SECONDARY_PROCBASED_CONTROLS, c->proc2);
    fake_set(VM_EXIT_CONTROLS, c->exit);
    fake_set(VM_ENTRY_CONTROLS, c->entry);
    fake_set(EXCEPTION_BITMAP, c->exception_bitmap);
    fake_set(CR0_GUEST_HOST_MASK, c->cr0_mask);
    fake_set(CR4_GUEST_HOST_MASK, c->cr4_mask);
    fake_set(VIRTUAL_PROCESSOR_ID, 1);
    fake_set(EPT_POINTER, 0x100000 | 6 | EPTP_WALK_4);
    fake_set(IO_BITMAP_A, 0x101000);
    fake_set(IO_BITMAP_B, 0x102000);
    fake_set(MSR_BITMAP, 0x103000);
    fake_set(VMCS_LINK_POINTER, ~0ull);
}

void fake_set_host(void)
{
    fake_set(HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
    fake_set(HOST_CR3, 0x200000);
    fake_set(HOST_CR4, CR4_PAE | CR4_VMXE);
    fake_set(HOST_CS_SELECTOR, 0x08);
    fake_set(HOST_SS_SELECTOR, 0x10);
    fake_set(HOST_TR_SELECTOR, 0x18);
    fake_set(HOST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    fake_set(HOST_IA32_PAT, 0x0007040600070406);
    u64 kernel = 0xFFFFFFFF80100000;
    fake_set(HOST_TR_BASE, kernel);
    fake_set(HOST_GDTR_BASE, kernel);
    fake_set(HOST_IDTR_BASE, kernel);
    fake_set(HOST_RSP, kernel);
    fake_set(HOST_RIP, kernel);
}

void fake_set_capabilities(void)
{
    fake_capabilities = (struct vmx_capabilities){
        .basic = 0x00D810000000002B,
        .misc = 0x200401E0,
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xFFFFFFFF,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3727FF,
        .ept_vpid = 0x00000F0106334141,
        .vmfunc = 1,
        .word = {[WORD_PIN] = {0x16, 0x7F},
                 [WORD_PROC] = {0x04006172, 0xF7F9FFFE},
                 [WORD_PROC2] = {0, 0x00057FFF},
                 [WORD_EXIT] = {0x36DFB, 0x7FFFFF},
                 [WORD_ENTRY] = {0x11FB, 0xFFFF}},
        .physical_bits = 40,
        .linear_bits = 48,
    };
}
