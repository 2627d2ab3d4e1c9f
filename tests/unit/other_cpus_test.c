// Whether another CPU serves beside the boot CPU: the cores of a hybrid CPU differ in what nobody
// uses.
// link: tests/unit/controls_machine.c tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "controls_machine.h"
#include "fake_vmcs.h"

static struct cpuid_result with_vmx(u32 leaf)
{
    return (struct cpuid_result){.eax = leaf >> 31 ? 0x3028 : 0, .ecx = leaf == 1 ? BIT(5) : 0};
}
#define cpuid(leaf, subleaf) with_vmx(leaf)
#define rdmsr read_of_machine
static u64 read_of_machine(u32 msr);
#include "vmx/vmcs.c"
#undef rdmsr

static u64 read_of_machine(u32 msr)
{
    return msr == IA32_FEATURE_CONTROL ? FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX
                                       : read_recorded(msr);
}

static struct controls of_boot_cpu;

static const char *problem_with(u64 other_ept_vpid)
{
    *msr(IA32_VMX_EPT_VPID_CAP) ^= other_ept_vpid;
    const char *problem = vmx_check_other(PROFILE_KVM, &of_boot_cpu);
    *msr(IA32_VMX_EPT_VPID_CAP) ^= other_ept_vpid;
    return problem;
}

static void capabilities_in_use_are_alike(void **state)
{
    (void)state;
    machine = *recorded("Bochs 2.7, tigerlake");
    assert_null(negotiate(PROFILE_KVM, &vmx_capabilities, &of_boot_cpu));
    assert_null(problem_with(0));
    assert_null(problem_with(BIT(0) | EPT_CAP_WALK_5 | EPT_CAP_ACCESSED_DIRTY | BIT(22) | BIT(23)));
    assert_non_null(problem_with(EPT_CAP_1G));
    assert_non_null(problem_with(EPT_CAP_2M));
    assert_non_null(problem_with(VPID_CAP_INVVPID));
    assert_non_null(problem_with(VPID_CAP_INDIVIDUAL_ADDRESS));
    assert_non_null(problem_with(VPID_CAP_SINGLE_RETAIN_GLOBALS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(capabilities_in_use_are_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
