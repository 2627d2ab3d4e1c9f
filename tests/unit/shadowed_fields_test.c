// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
/*
 * Under KVM a VMREAD or VMWRITE of a field that it does not shadow is an exit of its own, of a
 * thousand ticks: how many of them the frequent exits make.
 */
#include "one_exit.h"

#define PORT_IN(port) ((u64)(port) << 16 | 1 << 3) /* one byte */
#define PORT_OUT(port) ((u64)(port) << 16)
#define TO_CR(number) ((u64)(number)) /* from RAX */

/* Those of Linux 6.1 that Tally uses: arch/x86/kvm/vmx/vmcs_shadow_fields.h. The first are
 * shadowed for VMREAD alone. */
static const u16 only_read[] = {
    VM_EXIT_REASON,         VM_EXIT_INTERRUPTION_INFO, VM_EXIT_INSTRUCTION_LENGTH,
    IDT_VECTORING_INFO,     IDT_VECTORING_ERROR_CODE,  VM_EXIT_INTERRUPTION_ERROR_CODE,
    EXIT_QUALIFICATION,     GUEST_LINEAR_ADDRESS,      GUEST_PHYSICAL_ADDRESS,
    GUEST_CS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS,
};
static const u16 both_ways[] = {
    PRIMARY_PROCBASED_CONTROLS,
    EXCEPTION_BITMAP,
    VM_ENTRY_EXCEPTION_ERROR_CODE,
    GUEST_RIP,
    GUEST_RSP,
    VM_ENTRY_INTERRUPTION_INFO,
    GUEST_CR0,
    GUEST_CR3,
    VM_ENTRY_INSTRUCTION_LENGTH,
    GUEST_CR4,
    GUEST_RFLAGS,
    GUEST_INTERRUPTIBILITY,
    CR0_READ_SHADOW,
    CR4_READ_SHADOW,
    CR0_GUEST_HOST_MASK,
};

static unsigned unshadowed;

static bool among(const u16 *fields, unsigned count, enum vmcs_field field)
{
    for (unsigned i = 0; i < count; i++)
        if (fields[i] == field)
            return true;
    return false;
}

u64 vmread(enum vmcs_field field)
{
    unshadowed += !among(only_read, ARRAY_SIZE(only_read), field) &&
                  !among(both_ways, ARRAY_SIZE(both_ways), field);
    return fake_get(field);
}

void vmwrite(enum vmcs_field field, u64 value)
{
    unshadowed += !among(both_ways, ARRAY_SIZE(both_ways), field);
    fake_set(field, value);
}

static const struct {
    const char *what;
    u32 reason;
    u64 qualification;
    u64 rax, cr4;
    unsigned unshadowed;
} rows[] = {
    {"CPUID", EXIT_CPUID, 0, 0, CR4_PAE, 0},
    {"RDTSC", EXIT_RDTSC, 0, 0, CR4_PAE, 0},
    {"a read of a port", EXIT_IO_INSTRUCTION, PORT_IN(0x80), 0, CR4_PAE, 0},
    {"a write of a port", EXIT_IO_INSTRUCTION, PORT_OUT(0x80), 0, CR4_PAE, 0},
    {"the same with breakpoints on ports", EXIT_IO_INSTRUCTION, PORT_IN(0x80), 0, CR4_PAE | CR4_DE,
     1},
    {"CR0", EXIT_CR_ACCESS, TO_CR(0), CR0_PG | CR0_PE | CR0_WP | CR0_ET | CR0_TS, CR4_PAE, 0},
    {"CR4", EXIT_CR_ACCESS, TO_CR(4), CR4_PAE | CR4_OSFXSR, CR4_PAE, 0},
    {"VMCALL, with its #UD", EXIT_VMCALL, 0, 0, CR4_PAE, 0},
    {"HLT: the activity state", EXIT_HLT, 0, 0, CR4_PAE, 1},
};

static void frequent_exits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        start(rows[i].reason, rows[i].qualification, 2);
        fake_vcpu.gpr[RAX] = rows[i].rax;
        fake_set(CR4_READ_SHADOW, rows[i].cr4);
        fake_set(GUEST_CR4, rows[i].cr4 | CR4_VMXE);
        fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
        unshadowed = 0;
        assert_true(fake_dispatch());
        if (unshadowed != rows[i].unshadowed)
            fail_msg("%s: %u accesses that KVM does not shadow, not %u", rows[i].what, unshadowed,
                     rows[i].unshadowed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frequent_exits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
