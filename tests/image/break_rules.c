#include "test_aids.h"

#include "lib/print.h"
#include "vmx/access.h"
#include "entry_checks.h"

/*
 * Flips bits << shift in a field, and with `more` also what the next row says. The flips are made
 * for profile `minimal` and a guest in the state in which Tally starts it; they repair themselves.
 */
struct breakage {
    u16 field;
    u8 shift, more;
    u32 bits;
};

/* In place of `more`: not where the CPU takes error codes for all vectors. Bochs' models of such
 * CPUs then take them for all events. */
#define UNLESS_ANY_ERROR_CODE 2

#define EVENT(type, vector) (1u << 31 | (type) << 8 | (vector))

/* clang-format off */
static const struct breakage breakages[] = {
    /* Controls */
    {PIN_BASED_CONTROLS, 1, 0, 1},
    {PIN_BASED_CONTROLS, 8, 0, 1},
    {PIN_BASED_CONTROLS, 3, 0, 1},
    {PRIMARY_PROCBASED_CONTROLS, 1, 0, 1},
    {PRIMARY_PROCBASED_CONTROLS, 0, 0, 1},
    {PRIMARY_PROCBASED_CONTROLS, 22, 1, 1}, {PIN_BASED_CONTROLS, 5, 0, 1},
    {SECONDARY_PROCBASED_CONTROLS, 1, 0, 1},
    {SECONDARY_PROCBASED_CONTROLS, 4, 0, 1},
    {SECONDARY_PROCBASED_CONTROLS, 31, 0, 1},
    {VM_EXIT_CONTROLS, 0, 0, 1},
    {VM_EXIT_CONTROLS, 27, 0, 1},
    {VM_EXIT_CONTROLS, 22, 0, 1},
    {VM_ENTRY_CONTROLS, 0, 0, 1},
    {VM_ENTRY_CONTROLS, 25, 0, 1},
    {VM_ENTRY_CONTROLS, 10, 0, 1},
    {VM_ENTRY_CONTROLS, 11, 0, 1},
    {CR3_TARGET_COUNT, 0, 0, 0x1F},
    {IO_BITMAP_A, 0, 0, 1},
    {IO_BITMAP_B, 50, 0, 1},
    {MSR_BITMAP, 11, 0, 1},
    {VIRTUAL_PROCESSOR_ID, 0, 0, 1},
    {EPT_POINTER, 0, 0, 2},
    {EPT_POINTER, 3, 0, 1},
    {EPT_POINTER, 9, 0, 1},
    {EPT_POINTER, 50, 0, 1},
    {VM_ENTRY_MSR_LOAD_COUNT, 0, 1, 1}, {VM_ENTRY_MSR_LOAD_ADDR, 3, 0, 1},
    {VM_EXIT_MSR_LOAD_COUNT, 0, 1, 1}, {VM_EXIT_MSR_LOAD_ADDR, 3, 0, 1},
    {VM_EXIT_MSR_STORE_COUNT, 0, 1, 1}, {VM_EXIT_MSR_STORE_ADDR, 50, 0, 1},
    /* Event injection */
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(1, 32)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(2, 3)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(3, 32)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(3, 0x1006)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(3, 0x806)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(3, 13)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, UNLESS_ANY_ERROR_CODE, EVENT(2, 0x802)},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 1, EVENT(3, 0x80D)}, {VM_ENTRY_EXCEPTION_ERROR_CODE, 16, 0, 1},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 1, EVENT(4, 0x80)}, {VM_ENTRY_INSTRUCTION_LENGTH, 4, 0, 1},
    /* Host state */
    {HOST_CR0, 5, 0, 1},
    {HOST_CR4, 13, 0, 1},
    {HOST_CR4, 5, 0, 1},
    {HOST_CR3, 50, 0, 1},
    {HOST_IA32_PAT, 0, 0, 5},
    {HOST_IA32_EFER, 1, 0, 1},
    {HOST_IA32_EFER, 10, 0, 1},
    {VM_EXIT_CONTROLS, 9, 0, 1},
    {HOST_CS_SELECTOR, 0, 0, 8},
    {HOST_TR_SELECTOR, 0, 0, 0x18},
    {HOST_SS_SELECTOR, 0, 0, 3},
    {HOST_GS_SELECTOR, 0, 0, 4},
    {HOST_FS_BASE, 47, 0, 1},
    {HOST_TR_BASE, 47, 0, 1},
    {HOST_GDTR_BASE, 47, 0, 1},
    {HOST_IDTR_BASE, 47, 0, 1},
    {HOST_IA32_SYSENTER_ESP, 47, 0, 1},
    {HOST_RIP, 47, 0, 1},
    /* Guest registers */
    {GUEST_CR0, 5, 0, 1},
    {GUEST_CR4, 13, 0, 1},
    {GUEST_CR4, 31, 0, 1},
    {GUEST_CR3, 50, 0, 1},
    {GUEST_DR7, 33, 0, 1},
    {GUEST_IA32_SYSENTER_ESP, 47, 0, 1},
    {GUEST_IA32_SYSENTER_EIP, 47, 0, 1},
    {GUEST_IA32_PAT, 0, 0, 5},
    {GUEST_IA32_EFER, 1, 0, 1},
    {GUEST_IA32_EFER, 10, 0, 1},
    {GUEST_RFLAGS, 1, 0, 1},
    {GUEST_RFLAGS, 3, 0, 1},
    {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(0, 32)},
    {VMCS_LINK_POINTER, 0, 0, 1},
    /* Segments */
    {GUEST_TR_ACCESS_RIGHTS, 16, 0, 1},
    {GUEST_TR_ACCESS_RIGHTS, 0, 0, 2},
    {GUEST_TR_ACCESS_RIGHTS, 4, 0, 1},
    {GUEST_TR_ACCESS_RIGHTS, 7, 0, 1},
    {GUEST_TR_SELECTOR, 0, 0, 4},
    {GUEST_TR_BASE, 47, 0, 1},
    {GUEST_LDTR_ACCESS_RIGHTS, 0, 0, 1},
    {GUEST_LDTR_SELECTOR, 0, 0, 4},
    {GUEST_CS_ACCESS_RIGHTS, 0, 0, 1},
    {GUEST_CS_ACCESS_RIGHTS, 4, 0, 1},
    {GUEST_CS_ACCESS_RIGHTS, 7, 0, 1},
    {GUEST_CS_ACCESS_RIGHTS, 8, 0, 1},
    {GUEST_CS_ACCESS_RIGHTS, 5, 0, 3},
    {GUEST_CS_BASE, 33, 0, 1},
    {GUEST_CS_LIMIT, 0, 0, 1},
    {GUEST_DS_ACCESS_RIGHTS, 0, 0, 1},
    {GUEST_DS_ACCESS_RIGHTS, 15, 0, 1},
    {GUEST_ES_ACCESS_RIGHTS, 0, 0, 0xA},
    {GUEST_SS_ACCESS_RIGHTS, 0, 0, 2},
    {GUEST_FS_BASE, 47, 0, 1},
    {GUEST_GDTR_BASE, 47, 0, 1},
    {GUEST_IDTR_LIMIT, 16, 0, 1},
    /* Activity, interruptibility, pending debug exceptions */
    {GUEST_ACTIVITY_STATE, 0, 0, 4},
    {GUEST_ACTIVITY_STATE, 0, 1, 1}, {GUEST_INTERRUPTIBILITY, 0, 0, 2},
    {GUEST_ACTIVITY_STATE, 0, 1, 3}, {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(2, 2)},
    {GUEST_INTERRUPTIBILITY, 0, 0, 0x20},
    {GUEST_INTERRUPTIBILITY, 0, 0, 1},
    {GUEST_INTERRUPTIBILITY, 0, 0, 4},
    {GUEST_INTERRUPTIBILITY, 0, 1, 2}, {VM_ENTRY_INTERRUPTION_INFO, 0, 0, EVENT(2, 2)},
    {GUEST_PENDING_DEBUG_EXCEPTIONS, 0, 0, 0x10},
};
/* clang-format on */

static unsigned next, number; /* row to break next, breakages so far */
static unsigned broken;       /* first row of the one in force; == next: none */

/* A flip undoes itself. Returns the row after the breakage. */
static unsigned flip_rule(unsigned row)
{
    bool more = true;
    for (; more; row++) {
        const struct breakage *b = &breakages[row];
        vmwrite(b->field, vmread(b->field) ^ (u64)b->bits << b->shift);
        more = b->more == 1;
    }
    return row;
}

static bool for_this_cpu(unsigned row)
{
    return breakages[row].more != UNLESS_ANY_ERROR_CODE ||
           !(vmx_capabilities.basic & VMX_BASIC_ANY_ERROR_CODE);
}

static void say_nothing(const char *sentence, enum vmcs_field field, u64 value)
{
    (void)sentence, (void)field, (void)value;
}

bool break_next_rule(const struct vcpu *vcpu)
{
    if (!next && vcpu->exit_reason != EXIT_CPUID) /* in the midst of setting up the serial port */
        return true;
    if (broken != next)
        flip_rule(broken);
    while (next < ARRAY_SIZE(breakages)) {
        broken = next;
        next = flip_rule(broken);
        if (for_this_cpu(broken) && entry_checks(&vmx_capabilities, say_nothing)) {
            say("entry-rules: breakage %u", ++number);
            return true;
        }
        flip_rule(broken); /* this CPU allows it */
    }
    say("entry-rules: %u broken", number);
    return false;
}
