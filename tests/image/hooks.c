/* Where the test image steps in: it is the product's objects and this folder, so that the product
 * has no line for tests. */
#include "emulate/handlers.h"
#include "exits/entry.h"
#include "smp/smp.h"
#include "test_aids.h"
#include "vmx/access.h"
#include "vmx/capabilities.h"

/* The linker's --wrap (see the Makefile) sends each call of `name` that comes from another file to
 * __wrap_name; __real_name is what the product has. */
#define STEP_IN(result, name, ...)                                                                 \
    result __real_##name(__VA_ARGS__);                                                             \
    result __wrap_##name(__VA_ARGS__);                                                             \
    result __wrap_##name(__VA_ARGS__)

static u32 aids; /* enum test_aid: those asked for */

STEP_IN(const char *, options_parse, struct options *options, const char *line)
{
    const char *problem = __real_options_parse(options, line);
    aids = options->test;
    return problem;
}

/* Another CPU reads its own, to compare them with the boot CPU's. */
STEP_IN(void, vmx_capabilities_read, struct vmx_capabilities *c, u64 (*read_msr)(u32), u32 sizes)
{
    __real_vmx_capabilities_read(c, read_msr, sizes);
    if ((aids & TEST_ODD_CPU) && c != &vmx_capabilities)
        c->ept_vpid ^= EPT_CAP_1G;
}

STEP_IN(void, cpu_is_ready, struct cpu *cpu)
{
    if (aids & TEST_STACK_OVERFLOW)
        overflow_stack();
    __real_cpu_is_ready(cpu);
}

STEP_IN(__attribute__((noreturn)) void, vcpu_run, struct vcpu *vcpu)
{
    if (aids && vcpu->index == 0)
        test_aids_arm(vcpu, aids);
    __real_vcpu_run(vcpu);
}

static bool rules_are_tested(const struct vcpu *vcpu)
{
    return (aids & TEST_ENTRY_RULES) && vcpu->index == 0;
}

static void break_another(const struct vcpu *vcpu)
{
    if (!break_next_rule(vcpu))
        aids &= ~(u32)TEST_ENTRY_RULES;
}

STEP_IN(void, dispatch_exit, struct vcpu *vcpu)
{
    __real_dispatch_exit(vcpu);
    if (rules_are_tested(vcpu))
        break_another(vcpu);
    if ((aids & TEST_ENTRY_FAIL_LATE) && vcpu->index == 0 && vcpu->exit_reason == EXIT_VMCALL)
        vmwrite(GUEST_RFLAGS, 0);
}

/* An entry that a broken rule made fail is told, and the guest runs on. */
STEP_IN(enum exit_action, exit_entry_failure, struct vcpu *vcpu)
{
    if (!rules_are_tested(vcpu))
        return __real_exit_entry_failure(vcpu);
    dump_failed_exit(vcpu);
    return EXIT_RETRY;
}

STEP_IN(void, vmx_instruction_failed, u64 flags, struct vcpu *vcpu)
{
    if (!rules_are_tested(vcpu) || (flags & RFLAGS_CF))
        __real_vmx_instruction_failed(flags, vcpu);
    dump_failed_instruction(vcpu);
    break_another(vcpu);
}

STEP_IN(enum exit_action, exit_ept_misconfiguration, struct vcpu *vcpu)
{
    if (repair_spoiled_page(vmread(GUEST_PHYSICAL_ADDRESS)))
        return EXIT_RETRY;
    return __real_exit_ept_misconfiguration(vcpu);
}

STEP_IN(enum exit_action, exit_spp_event, struct vcpu *vcpu)
{
    repair_spoiled_page(vmread(GUEST_PHYSICAL_ADDRESS));
    return __real_exit_spp_event(vcpu);
}
