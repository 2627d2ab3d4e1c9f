// What is written into a VMCS: controls, host, the guest at its start and after INIT.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "fake_machine.h"

#include "host/cpu.h"
#include "exits/entry.h"
#include "vmx/controls.h"
#include "vmx/vmcs.h"
#include "x86/msr.h"

struct expected {
    enum vmcs_field field;
    u64 value;
};

/* No field may keep what it had. */
static void forget(const struct expected *rows, unsigned number)
{
    for (unsigned i = 0; i < number; i++)
        fake_set(rows[i].field, ~rows[i].value);
}

static void check(const struct expected *rows, unsigned number)
{
    for (unsigned i = 0; i < number; i++)
        if (fake_get(rows[i].field) != rows[i].value)
            fail_msg("field %#x is %#llx, not %#llx", rows[i].field,
                     (unsigned long long)fake_get(rows[i].field),
                     (unsigned long long)rows[i].value);
}

#define SEGMENT(name, selector, base, limit, rights)                                               \
    {GUEST_##name##_SELECTOR, selector}, {GUEST_##name##_BASE, base},                              \
        {GUEST_##name##_LIMIT, limit},                                                             \
    {                                                                                              \
        GUEST_##name##_ACCESS_RIGHTS, rights                                                       \
    }

/* Of both. SDM vol. 3, 'Processor States Following Power-up, Reset, or INIT'. */
static const struct expected common[] = {
    SEGMENT(LDTR, 0, 0, 0xFFFF, 0x82),
    SEGMENT(TR, 0, 0, 0xFFFF, 0x8B),
    {GUEST_IDTR_BASE, 0},
    {GUEST_IDTR_LIMIT, 0xFFFF},
    {GUEST_IA32_SYSENTER_CS, 0},
    {GUEST_IA32_SYSENTER_ESP, 0},
    {GUEST_IA32_SYSENTER_EIP, 0},
    {CR4_READ_SHADOW, 0},
    {GUEST_CR4, CR4_VMXE},
    {GUEST_CR3, 0},
    {GUEST_IA32_EFER, 0},
    {GUEST_DR7, DR7_FIXED},
    {GUEST_RFLAGS, RFLAGS_FIXED},
    {GUEST_INTERRUPTIBILITY, 0},
    {GUEST_PENDING_DEBUG_EXCEPTIONS, 0},
};

static void guest_after_init(void **state)
{
    (void)state;
    static const struct expected rows[] = {
        SEGMENT(CS, 0xF000, 0xFFFF0000, 0xFFFF, 0x9B),
        SEGMENT(DS, 0, 0, 0xFFFF, 0x93),
        SEGMENT(ES, 0, 0, 0xFFFF, 0x93),
        SEGMENT(FS, 0, 0, 0xFFFF, 0x93),
        SEGMENT(GS, 0, 0, 0xFFFF, 0x93),
        SEGMENT(SS, 0, 0, 0xFFFF, 0x93),
        {GUEST_GDTR_BASE, 0},
        {GUEST_GDTR_LIMIT, 0xFFFF},
        {CR0_READ_SHADOW, CR0_ET | CR0_CD},
        {GUEST_CR0, CR0_ET | CR0_CD | CR0_NE},
        {GUEST_RIP, 0xFFF0},
        {GUEST_RSP, 0},
        {GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI},
    };
    fake_machine(PROFILE_ALL);
    fake_cpu.cr0 = CR0_CD | CR0_PE;
    fake_vcpu.presence = RUNS;
    fake_vcpu.controls.entry |= ENTRY_IA32E_MODE_GUEST;
    for (unsigned i = 0; i < GPRS; i++)
        fake_vcpu.gpr[i] = ~0ull;
    forget(common, ARRAY_SIZE(common));
    forget(rows, ARRAY_SIZE(rows));
    vmcs_set_init_state(&fake_vcpu);
    check(common, ARRAY_SIZE(common));
    check(rows, ARRAY_SIZE(rows));
    for (unsigned i = 0; i < GPRS; i++)
        assert_int_equal(fake_vcpu.gpr[i], i == RDX ? cpuid(1, 0).eax : 0);
    assert_false(fake_get(VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
    assert_int_equal(fake_vcpu.controls.entry, fake_get(VM_ENTRY_CONTROLS));
    assert_int_equal(fake_vcpu.presence, WAITS_FOR_SIPI);
}

static void guest_at_its_start(void **state)
{
    (void)state;
    static const struct guest_start start = {.entry = 0x100020,
                                             .code_selector = 0x10,
                                             .data_selector = 0x18,
                                             .gdt_base = 0x5000,
                                             .gdt_limit = 0x1F,
                                             .esp = 0x7FF00,
                                             .eax = 0x2BADB002,
                                             .ebx = 0x9000,
                                             .esi = 0x7000};
    static const struct expected rows[] = {
        SEGMENT(CS, 0x10, 0, ~0u, 0xC09B),
        SEGMENT(DS, 0x18, 0, ~0u, 0xC093),
        SEGMENT(ES, 0x18, 0, ~0u, 0xC093),
        SEGMENT(FS, 0x18, 0, ~0u, 0xC093),
        SEGMENT(GS, 0x18, 0, ~0u, 0xC093),
        SEGMENT(SS, 0x18, 0, ~0u, 0xC093),
        {GUEST_GDTR_BASE, 0x5000},
        {GUEST_GDTR_LIMIT, 0x1F},
        {CR0_READ_SHADOW, CR0_PE | CR0_ET},
        {GUEST_CR0, CR0_PE | CR0_ET | CR0_NE},
        {GUEST_RIP, 0x100020},
        {GUEST_RSP, 0x7FF00},
        {GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE},
    };
    fake_machine(PROFILE_ALL);
    fake_vcpu.presence = WAITS_FOR_SIPI;
    fake_vcpu.gpr[RDX] = 0x306D4; /* as INIT leaves it */
    forget(common, ARRAY_SIZE(common));
    forget(rows, ARRAY_SIZE(rows));
    vmcs_set_start_state(&fake_vcpu, &start);
    check(common, ARRAY_SIZE(common));
    check(rows, ARRAY_SIZE(rows));
    assert_int_equal(fake_vcpu.gpr[RAX], 0x2BADB002);
    assert_int_equal(fake_vcpu.gpr[RBX], 0x9000);
    assert_int_equal(fake_vcpu.gpr[RSI], 0x7000);
    assert_int_equal(fake_vcpu.gpr[RDX], 0);
    assert_int_equal(fake_vcpu.presence, RUNS);
}

/* As OVMF leaves a CPU to GRUB's kernels, TR and LDTR never loaded. */
static void guest_as_found(void **state)
{
    (void)state;
    static const struct segment_state data = {0x30, 0xC093, ~0u, 0};
    static const struct found_state found = {
        .cr0 = 0x80010033 & ~CR0_NE,
        .cr3 = 0x1F801000,
        .cr4 = 0x668,
        .efer = EFER_LMA | EFER_LME | EFER_NXE,
        .dr7 = DR7_FIXED,
        .rflags = RFLAGS_FIXED | RFLAGS_IF,
        .rip = 0x101230,
        .rsp = 0x1FE8FF00,
        .gpr = {[RAX] = 0x1234, [R15] = 0x5678},
        .sysenter = {0x10, 0x20000, 0x30000},
        .gdtr = {0x47, 0x1F7DC000},
        .idtr = {0xFFF, 0x1F2E0018},
        .segment = {[ES] = data,
                    [CS] = {0x38, 0xA09B, ~0u, 0},
                    [SS] = data,
                    [DS] = data,
                    [FS] = data,
                    [GS] = {0x30, 0xC093, ~0u, 0x77000},
                    [LDTR] = {0, AR_UNUSABLE, 0, 0},
                    [TR] = {0, 0x8B, 0xFFFF, 0}},
    };
    static const struct expected rows[] = {
        SEGMENT(CS, 0x38, 0, ~0u, 0xA09B),
        SEGMENT(SS, 0x30, 0, ~0u, 0xC093),
        SEGMENT(GS, 0x30, 0x77000, ~0u, 0xC093),
        SEGMENT(LDTR, 0, 0, 0, AR_UNUSABLE),
        SEGMENT(TR, 0, 0, 0xFFFF, 0x8B),
        {GUEST_GDTR_BASE, 0x1F7DC000},
        {GUEST_GDTR_LIMIT, 0x47},
        {GUEST_IDTR_BASE, 0x1F2E0018},
        {GUEST_IDTR_LIMIT, 0xFFF},
        {GUEST_IA32_SYSENTER_CS, 0x10},
        {GUEST_IA32_SYSENTER_ESP, 0x20000},
        {GUEST_IA32_SYSENTER_EIP, 0x30000},
        {CR0_READ_SHADOW, 0x80010033 & ~CR0_NE},
        {GUEST_CR0, 0x80010033 | CR0_NE},
        {CR4_READ_SHADOW, 0x668},
        {GUEST_CR4, 0x668 | CR4_VMXE},
        {GUEST_CR3, 0x1F801000},
        {GUEST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE},
        {GUEST_DR7, DR7_FIXED},
        {GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF},
        {GUEST_RIP, 0x101230},
        {GUEST_RSP, 0x1FE8FF00},
        {GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE},
    };
    fake_machine(PROFILE_ALL);
    vmcs_set_init_state(&fake_vcpu);
    forget(rows, ARRAY_SIZE(rows));
    vmcs_set_state(&fake_vcpu, &found, ACTIVITY_ACTIVE);
    check(rows, ARRAY_SIZE(rows));
    assert_true(fake_vcpu.controls.entry & ENTRY_IA32E_MODE_GUEST);
    assert_int_equal(fake_get(VM_ENTRY_CONTROLS), fake_vcpu.controls.entry);
    assert_int_equal(fake_vcpu.gpr[RAX], 0x1234);
    assert_int_equal(fake_vcpu.gpr[R15], 0x5678);
    assert_int_equal(fake_vcpu.presence, RUNS);
}

/* With all controls there are; then fields of those that are off are not touched. */
static void controls_reach_the_vmcs(void **state)
{
    (void)state;
    static const struct controls c = {.pin = 0x3F,
                                      .proc = PROC_ACTIVATE_TERTIARY | 0xF0,
                                      .proc2 = PROC2_ENABLE_XSAVES | PROC2_ENCLS_EXITING |
                                               PROC2_ENCLV_EXITING | PROC2_ENABLE_PCONFIG |
                                               PROC2_ENABLE_VMFUNC,
                                      .exit = 0x1234,
                                      .entry = 0x5678,
                                      .exception_bitmap = 0x60042,
                                      .proc3 = 0x11,
                                      .xss_exiting = 0x900,
                                      .cr0_mask = 0x80000021,
                                      .cr4_mask = 0x2000};
    static const struct controls none;
    const struct expected rows[] = {
        {TERTIARY_PROCBASED_CONTROLS, c.proc3},
        {XSS_EXITING_BITMAP, c.xss_exiting},
        {ENCLS_EXITING_BITMAP, ~0ull},
        {ENCLV_EXITING_BITMAP, ~0ull},
        {PCONFIG_EXITING_BITMAP, ~0ull},
        {VM_FUNCTION_CONTROLS, 0},
        {PIN_BASED_CONTROLS, c.pin},
        {PRIMARY_PROCBASED_CONTROLS, c.proc},
        {SECONDARY_PROCBASED_CONTROLS, c.proc2},
        {VM_EXIT_CONTROLS, c.exit},
        {VM_ENTRY_CONTROLS, c.entry},
        {EXCEPTION_BITMAP, c.exception_bitmap},
        {PAGE_FAULT_ERROR_CODE_MASK, 0},
        {PAGE_FAULT_ERROR_CODE_MATCH, 0},
        {CR0_GUEST_HOST_MASK, c.cr0_mask},
        {CR4_GUEST_HOST_MASK, c.cr4_mask},
    };
    fake_machine(PROFILE_ALL);
    forget(rows, ARRAY_SIZE(rows));
    controls_write(&c);
    check(rows, ARRAY_SIZE(rows));
    fake_exit(0, 0, 0);
    controls_write(&none);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(fake_writes(rows[i].field), 0);
}

static void the_rest_of_a_vmcs(void **state)
{
    (void)state;
    static struct cpu cpu;
    const struct expected rows[] = {
        {HOST_ES_SELECTOR, 0},
        {HOST_DS_SELECTOR, 0},
        {HOST_FS_SELECTOR, 0},
        {HOST_GS_SELECTOR, 0},
        {HOST_FS_BASE, 0},
        {HOST_GS_BASE, (u64)&cpu.vcpu},
        {HOST_RSP, (u64)&cpu.vcpu},
        {HOST_RIP, (u64)vmx_exit},
        {HOST_TR_BASE, (u64)&cpu.tss},
        {HOST_GDTR_BASE, (u64)cpu.gdt},
        {HOST_IA32_SYSENTER_CS, 0},
        {HOST_IA32_SYSENTER_ESP, 0},
        {HOST_IA32_SYSENTER_EIP, 0},
        {HOST_IA32_PAT, 0x0007040600070406},
        {HOST_IA32_EFER, 0xD01},
        {HOST_CR0, 0x80010033},
        {HOST_CR3, 0x200000},
        {IO_BITMAP_A, 0x101000},
        {IO_BITMAP_B, 0x102000},
        {MSR_BITMAP, 0x103000},
        {VIRTUAL_PROCESSOR_ID, 8},
        {EPT_POINTER, 0x30001E},
        {TSC_OFFSET, 0},
        {CR3_TARGET_COUNT, 0},
        {VM_EXIT_MSR_STORE_COUNT, 0},
        {VM_EXIT_MSR_LOAD_COUNT, 0},
        {VM_ENTRY_MSR_LOAD_COUNT, 0},
        {VM_ENTRY_INTERRUPTION_INFO, 0},
        {VMCS_LINK_POINTER, ~0ull},
        {GUEST_IA32_PAT, 0x0007040600070406},
        {GUEST_IA32_DEBUGCTL, 0},
        {GUEST_PDPTE0, 0},
        {GUEST_PDPTE1, 0},
        {GUEST_PDPTE2, 0},
        {GUEST_PDPTE3, 0},
        {GUEST_RIP, 0xFFF0},
    };
    fake_machine(PROFILE_KVM);
    cpu.vcpu.controls = fake_vcpu.controls;
    cpu.vcpu.controls.proc |= PROC_USE_IO_BITMAPS | PROC_USE_MSR_BITMAPS;
    cpu.vcpu.controls.proc2 |= PROC2_ENABLE_VPID;
    cpu.vcpu.index = 7;
    fake_msr(IA32_PAT, 0x0007040600070406);
    fake_msr(IA32_EFER, 0xD01);
    fake_cpu.cr0 = 0x80010033;
    forget(rows, ARRAY_SIZE(rows));
    exit_entries = (struct exit_entries){vmx_exit, vmx_exit_observed, vmx_exit_recorded};
    vmcs_init(&cpu, 0x30001E);
    check(rows, ARRAY_SIZE(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_after_init),   cmocka_unit_test(guest_at_its_start),
        cmocka_unit_test(guest_as_found),     cmocka_unit_test(controls_reach_the_vmcs),
        cmocka_unit_test(the_rest_of_a_vmcs),
    };
    return cmocka_run_group_tests_name("A VMCS", tests, NULL, NULL);
}
