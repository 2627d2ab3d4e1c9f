/* Where the test image steps in: it is the product's objects and this folder, so that the product
 * has no line for tests. */
#include "emulate/handlers.h"
#include "exits/entry.h"
#include "lib/string.h"
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

/* The aid of a word `test=NAME` that ends at `end`; 0: there is no such one. */
static u32 aid_of(const char *word, const char *end)
{
    static const char *const names[] = {
#define NAME(name, word, arm) "test=" word,
        TEST_AIDS(NAME)};
    size_t length = (size_t)(end - word);
    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (strlen(names[i]) == length && strncmp(word, names[i], length) == 0)
            return 1u << i;
    return 0;
}

/* The option `test=`, which the product does not know, is taken out of the line. */
STEP_IN(const char *, options_parse, struct options *options, const char *line)
{
    static char rest[1024];
    size_t length = 0;
    for (const char *word = line, *end; *word; word = end) {
        end = word + 1;
        while (*end && *end != ' ')
            end++;
        const char *start = word + (*word == ' ');
        if (strncmp(start, "test=", 5) == 0) {
            if (!aid_of(start, end))
                return "test=: there is no such aid";
            aids |= aid_of(start, end);
            continue;
        }
        for (; word < end && length + 1 < sizeof(rest); word++)
            rest[length++] = *word;
    }
    return __real_options_parse(options, rest);
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
