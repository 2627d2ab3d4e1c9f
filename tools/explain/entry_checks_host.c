/* SDM vol. 3, 'Checks on the Host-State Area'. Tally itself runs in 64-bit mode. */
#include "entry_checks.h"
#include "x86/msr.h"
#include "x86/registers.h"
#include "x86/vmx.h"

static void check_control_registers(struct entry_check *k)
{
    const struct vmx_capabilities *cpu = k->cpu;
    u64 cr0 = vmread(HOST_CR0), cr4 = vmread(HOST_CR4);
    rule(k, (cr0 & cpu->cr0_fixed0) == cpu->cr0_fixed0 && !(cr0 & ~cpu->cr0_fixed1), HOST_CR0,
         "CR0 must have the bits that VMX fixes");
    rule(k, (cr4 & cpu->cr4_fixed0) == cpu->cr4_fixed0 && !(cr4 & ~cpu->cr4_fixed1), HOST_CR4,
         "CR4 must have the bits that VMX fixes");
    rule(k, implies(cr4 & CR4_CET, cr0 & CR0_WP), HOST_CR4, "CR4.CET needs CR0.WP");
    rule(k, cr4 & CR4_PAE, HOST_CR4, "a 64-bit host needs CR4.PAE");
    rule(k, within_physical(k, vmread(HOST_CR3)), HOST_CR3,
         "CR3 must be within the physical-address width");
}

static void check_msrs(struct entry_check *k)
{
    rule(k, k->word[WORD_EXIT] & EXIT_HOST_ADDRESS_SPACE_SIZE, VM_EXIT_CONTROLS,
         "in IA-32e mode the host address-space size must be 1");
    if (k->word[WORD_EXIT] & EXIT_LOAD_PAT)
        rule(k, is_legal_pat(vmread(HOST_IA32_PAT)), HOST_IA32_PAT,
             "each byte of the PAT must be a memory type");
    if (k->word[WORD_EXIT] & EXIT_LOAD_EFER) {
        u64 efer = vmread(HOST_IA32_EFER);
        u64 long_mode = k->word[WORD_EXIT] & EXIT_HOST_ADDRESS_SPACE_SIZE ? EFER_LMA | EFER_LME : 0;
        rule(k, legal_efer(efer), HOST_IA32_EFER, "reserved bits of EFER must be 0");
        rule(k, (efer & (EFER_LMA | EFER_LME)) == long_mode, HOST_IA32_EFER,
             "EFER.LMA and EFER.LME must equal the host address-space size");
    }
}

static void check_selectors(struct entry_check *k)
{
    for (unsigned field = HOST_ES_SELECTOR; field <= HOST_TR_SELECTOR; field += 2)
        rule(k, !(vmread(field) & 7), field, "the selector's RPL and TI must be 0");
    rule(k, vmread(HOST_CS_SELECTOR), HOST_CS_SELECTOR, "CS must not be null");
    rule(k, vmread(HOST_TR_SELECTOR), HOST_TR_SELECTOR, "TR must not be null");
}

static void check_addresses(struct entry_check *k)
{
    static const u16 addresses[] = {
        HOST_FS_BASE,   HOST_GS_BASE,           HOST_TR_BASE,           HOST_GDTR_BASE,
        HOST_IDTR_BASE, HOST_IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_EIP, HOST_RIP,
    };
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        rule(k, canonical(k, vmread(addresses[i])), addresses[i], "the address must be canonical");
}

void check_host_state(struct entry_check *k)
{
    check_control_registers(k);
    check_msrs(k);
    check_selectors(k);
    check_addresses(k);
}
