#include "entry_checks.h"

#include "x86/registers.h"
#include "x86/vmx.h"

void rule_broken(struct entry_check *k, enum vmcs_field field, const char *sentence)
{
    k->broken++;
    k->report(sentence, field, vmread(field));
}

bool canonical(const struct entry_check *k, u64 address)
{
    return is_canonical(address, k->cpu->linear_bits);
}

bool within_physical(const struct entry_check *k, u64 address)
{
    return !(address >> k->cpu->physical_bits);
}

bool legal_page(const struct entry_check *k, u64 address)
{
    return within_physical(k, address) && !(address % PAGE_SIZE);
}

bool legal_efer(u64 efer)
{
    return !(efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
}

unsigned entry_checks(const struct vmx_capabilities *cpu,
                      void (*report)(const char *sentence, enum vmcs_field field, u64 value))
{
    struct entry_check k = {.cpu = cpu, .report = report};
    k.word[WORD_PIN] = (u32)vmread(PIN_BASED_CONTROLS);
    k.word[WORD_PROC] = (u32)vmread(PRIMARY_PROCBASED_CONTROLS);
    if (k.word[WORD_PROC] & PROC_ACTIVATE_SECONDARY)
        k.word[WORD_PROC2] = (u32)vmread(SECONDARY_PROCBASED_CONTROLS);
    k.word[WORD_EXIT] = (u32)vmread(VM_EXIT_CONTROLS);
    k.word[WORD_ENTRY] = (u32)vmread(VM_ENTRY_CONTROLS);
    k.event = (u32)vmread(VM_ENTRY_INTERRUPTION_INFO);
    if (!(k.event & INTERRUPTION_VALID))
        k.event = 0;
    k.cr0 = vmread(GUEST_CR0);
    k.cr4 = vmread(GUEST_CR4);
    k.rflags = vmread(GUEST_RFLAGS);
    k.cs_rights = (u32)vmread(GUEST_CS_ACCESS_RIGHTS);
    k.ss_rights = (u32)vmread(GUEST_SS_ACCESS_RIGHTS);
    k.unrestricted = k.word[WORD_PROC2] & PROC2_UNRESTRICTED_GUEST;
    k.ia32e = k.word[WORD_ENTRY] & ENTRY_IA32E_MODE_GUEST;
    k.v8086 = k.rflags & RFLAGS_VM;

    check_controls(&k);
    check_event_injection(&k);
    check_host_state(&k);
    check_guest_registers(&k);
    check_guest_segments(&k);
    check_guest_activity(&k);
    return k.broken;
}
