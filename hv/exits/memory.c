/* Reasons 48 and 49. */
#include "emulate/handlers.h"
#include "lib/print.h"
#include "memory/memory.h"

#define NAMED_ATTEMPTS 8 /* after so many only the count goes on */

#define PAGE_FAULT_PRESENT BIT(0)
#define PAGE_FAULT_WRITE BIT(1)
#define PAGE_FAULT_USER BIT(2)
#define PAGE_FAULT_RESERVED BIT(3)

static void deny_own_memory(const struct vcpu *vcpu, u64 physical, u64 qualification)
{
    bool write = qualification & EPT_VIOLATION_WRITE;
    if (guest_memory_denied < NAMED_ATTEMPTS)
        say("the guest's CPU %u tried to %s Tally's memory at %lx, RIP %lx", vcpu->index,
            write                                 ? "write"
            : qualification & EPT_VIOLATION_FETCH ? "execute"
                                                  : "read",
            physical, vmread(GUEST_RIP));
    guest_memory_deny(physical, write);
}

/* CPUID shows no more address bits than EPT translates: more are reserved bits of a page table. */
static enum exit_action fault_on_reserved_bits(struct vcpu *vcpu, u64 qualification)
{
    u32 error_code = PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED;
    if (qualification & EPT_VIOLATION_WRITE)
        error_code |= PAGE_FAULT_WRITE;
    if (guest_cpl() == 3)
        error_code |= PAGE_FAULT_USER;
    return inject_page_fault(vcpu, vmread(GUEST_LINEAR_ADDRESS), error_code);
}

enum exit_action exit_ept_violation(struct vcpu *vcpu)
{
    u64 physical = vmread(GUEST_PHYSICAL_ADDRESS);
    u64 qualification = vmread(EXIT_QUALIFICATION);
    restore_nmi_blocking(vcpu, qualification);
    if (is_own_memory(physical))
        deny_own_memory(vcpu, physical, qualification);
    else if (!guest_memory_map(vcpu, physical))
        return fault_on_reserved_bits(vcpu, qualification);
    return EXIT_RETRY;
}

/* Only a bug in Tally makes such an entry. */
enum exit_action exit_ept_misconfiguration(struct vcpu *vcpu)
{
    u64 physical = vmread(GUEST_PHYSICAL_ADDRESS);
    unsigned level;
    u64 entry = *ept_entry(&guest_ept, physical, &level);
    say("EPT misconfiguration on CPU %u: address %lx, level %u entry %lx", vcpu->index, physical,
        level, entry);
    return EXIT_STOP;
}
