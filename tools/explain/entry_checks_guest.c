/* SDM vol. 3, 'Checks on the Guest State Area', without the segment registers. */
#include "entry_checks.h"
#include "x86/msr.h"
#include "x86/registers.h"
#include "x86/vmx.h"

static void check_control_registers(struct entry_check *k)
{
    const struct vmx_capabilities *cpu = k->cpu;
    u64 cr0_fixed = cpu->cr0_fixed0 & ~(k->unrestricted ? CR0_PE | CR0_PG : 0);
    rule(k, (k->cr0 & cr0_fixed) == cr0_fixed && !(k->cr0 & ~(cpu->cr0_fixed1 | CR0_NW | CR0_CD)),
         GUEST_CR0, "CR0 must have the bits that VMX fixes");
    rule(k, implies(k->cr0 & CR0_PG, k->cr0 & CR0_PE), GUEST_CR0, "CR0.PG needs CR0.PE");
    rule(k, (k->cr4 & cpu->cr4_fixed0) == cpu->cr4_fixed0 && !(k->cr4 & ~cpu->cr4_fixed1),
         GUEST_CR4, "CR4 must have the bits that VMX fixes");
    rule(k, implies(k->cr4 & CR4_CET, k->cr0 & CR0_WP), GUEST_CR4, "CR4.CET needs CR0.WP");
    rule(k, implies(k->ia32e, k->cr0 & CR0_PG), GUEST_CR0, "IA-32e mode needs CR0.PG");
    rule(k, implies(k->ia32e, k->cr4 & CR4_PAE), GUEST_CR4, "IA-32e mode needs CR4.PAE");
    rule(k, implies(!k->ia32e, !(k->cr4 & CR4_PCIDE)), GUEST_CR4, "CR4.PCIDE needs IA-32e mode");
    rule(k, within_physical(k, vmread(GUEST_CR3)), GUEST_CR3,
         "CR3 must be within the physical-address width");
}

static void check_msrs(struct entry_check *k)
{
    /* LBR, BTF, bus-lock detection (2), TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR, FREEZE_*,
     * UNCORE_PMI, FREEZE_WHILE_SMM, RTM_DEBUG: each where the CPU has it. */
    const u64 debugctl_known = 0xFFC7;
    if (k->word[WORD_ENTRY] & ENTRY_LOAD_DEBUG_CONTROLS) {
        rule(k, !(vmread(GUEST_IA32_DEBUGCTL) & ~debugctl_known), GUEST_IA32_DEBUGCTL,
             "reserved bits of IA32_DEBUGCTL must be 0");
        rule(k, !(vmread(GUEST_DR7) >> 32), GUEST_DR7, "bits 63:32 of DR7 must be 0");
    }
    rule(k, canonical(k, vmread(GUEST_IA32_SYSENTER_ESP)), GUEST_IA32_SYSENTER_ESP,
         "the address must be canonical");
    rule(k, canonical(k, vmread(GUEST_IA32_SYSENTER_EIP)), GUEST_IA32_SYSENTER_EIP,
         "the address must be canonical");
    if (k->word[WORD_ENTRY] & ENTRY_LOAD_PAT)
        rule(k, is_legal_pat(vmread(GUEST_IA32_PAT)), GUEST_IA32_PAT,
             "each byte of the PAT must be a memory type");
    if (k->word[WORD_ENTRY] & ENTRY_LOAD_EFER) {
        u64 efer = vmread(GUEST_IA32_EFER);
        bool lma = efer & EFER_LMA, lme = efer & EFER_LME;
        rule(k, legal_efer(efer), GUEST_IA32_EFER, "reserved bits of EFER must be 0");
        rule(k, lma == k->ia32e, GUEST_IA32_EFER,
             "EFER.LMA must equal the VM-entry control IA-32e mode guest");
        rule(k, implies(k->cr0 & CR0_PG, lma == lme), GUEST_IA32_EFER,
             "EFER.LMA and EFER.LME must be equal while paging is on");
    }
}

static void check_rip_and_rflags(struct entry_check *k)
{
    /* The CPU compares one bit less than for a canonical address: bits 63:N of N-bit addresses. */
    int64_t above = (int64_t)vmread(GUEST_RIP) >> k->cpu->linear_bits;
    bool code_64 = k->ia32e && (k->cs_rights & AR_L);
    rule(k, implies(code_64, above == 0 || above == -1), GUEST_RIP,
         "bits 63:N of RIP must be equal for N-bit linear addresses");
    rule(k, implies(!code_64, !(vmread(GUEST_RIP) >> 32)), GUEST_RIP,
         "outside 64-bit code bits 63:32 of RIP must be 0");

    rule(k, !(k->rflags & ~0x3F7FD7ull) && (k->rflags & RFLAGS_FIXED), GUEST_RFLAGS,
         "bit 1 of RFLAGS must be 1 and its reserved bits 0");
    rule(k, implies(k->v8086, !k->ia32e && (k->cr0 & CR0_PE)), GUEST_RFLAGS,
         "RFLAGS.VM must be 0 in IA-32e mode and in real mode");
    unsigned type = (k->event & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT;
    rule(k, implies(k->event && type == TYPE_EXTERNAL_INTERRUPT, k->rflags & RFLAGS_IF),
         GUEST_RFLAGS, "an injected external interrupt needs RFLAGS.IF");
}

/* With EPT the CPU takes the PDPTEs of PAE paging from the VMCS. */
static void check_pdptes(struct entry_check *k)
{
    bool pae = (k->cr0 & CR0_PG) && (k->cr4 & CR4_PAE) && !k->ia32e;
    if (!pae || !(k->word[WORD_PROC2] & PROC2_ENABLE_EPT))
        return;
    for (unsigned field = GUEST_PDPTE0; field <= GUEST_PDPTE3; field += 2) {
        u64 pdpte = vmread(field);
        rule(k, implies(pdpte & 1, !(pdpte & 0x1E6) && within_physical(k, pdpte)), field,
             "reserved bits of a present PDPTE must be 0");
    }
}

void check_guest_registers(struct entry_check *k)
{
    check_control_registers(k);
    check_msrs(k);
    check_rip_and_rflags(k);
    check_pdptes(k);
    rule(k, vmread(VMCS_LINK_POINTER) == ~0ull, VMCS_LINK_POINTER,
         "without VMCS shadowing the link pointer must be all ones");
}
