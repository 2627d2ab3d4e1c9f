/*
 * IA32_DEBUGCTL.BTF: a single step ends at the next branch, not at the next instruction, also where
 * Tally carries the instruction out. SDM vol. 3, 'Single-Stepping on Branches'. Bochs 2.7 has no
 * BTF; the tests then say so and skip.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* BTF on, TF on, the instruction, and a jump to the end: 13 bytes around it. */
#define STEP_TO_BRANCH(name, text)                                                                 \
    CODE64(name, "wrmsr\n pushfq\n or dword ptr [rsp], 0x100\n popfq\n" text "\n jmp 1f\n 1:")
#define AROUND 13

STEP_TO_BRANCH(nothing, "nop");
STEP_TO_BRANCH(cpuid, "cpuid");
STEP_TO_BRANCH(in, "in al, dx");
STEP_TO_BRANCH(outsb, "outsb");
STEP_TO_BRANCH(rdtsc, "rdtsc");
STEP_TO_BRANCH(read_cr0, "mov rax, cr0");
STEP_TO_BRANCH(invlpg, "invlpg [rsi]");
STEP_TO_BRANCH(sgdt, "sgdt [rsi]");
STEP_TO_BRANCH(wbinvd, "wbinvd");
STEP_TO_BRANCH(pause, "pause");
CODE64(write_msr, "wrmsr");
CODE64(read_msr, "rdmsr");

static bool access_debugctl(const u8 *start, const u8 *end, u64 *value)
{
    struct run access = {.code = {start, end}, .gpr = {[RCX] = IA32_DEBUGCTL, [RAX] = *value}};
    run(&access);
    *value = access.gpr[RAX];
    return ran_to_end(&access);
}

/* Asked of the CPU itself, by a step over what never exits. */
static bool has_btf(void)
{
    u64 off = 0;
    struct run step = {.code = CODE(nothing), .gpr = {[RCX] = IA32_DEBUGCTL, [RAX] = DEBUGCTL_BTF}};
    if (!access_debugctl(code_write_msr, end_of_code_write_msr, &off))
        return false;
    write_dr6(DR6_FIXED);
    run(&step);
    access_debugctl(code_write_msr, end_of_code_write_msr, &off);
    return step.vector == VECTOR_DB && step.rip == AROUND + 1;
}

static void clear_dr6(struct run *run)
{
    (void)run;
    write_dr6(DR6_FIXED);
}

static const char *one_step(const struct run *run)
{
    u64 debugctl = 0;
    if (run->dr6 != (DR6_FIXED | DR6_BS))
        return "DR6 should show BS alone";
    if (!access_debugctl(code_read_msr, end_of_code_read_msr, &debugctl))
        return "IA32_DEBUGCTL cannot be read";
    return debugctl & DEBUGCTL_BTF ? "#DB should have cleared BTF" : NULL;
}

static void btf_off(void)
{
    u64 off = 0;
    access_debugctl(code_write_msr, end_of_code_write_msr, &off);
}

#define STEP(name, code, length, ...)                                                              \
    {                                                                                              \
        "step to the branch behind " name, CODE(code),                                             \
            .rcx = IA32_DEBUGCTL, .rax = DEBUGCTL_BTF, .fault = FAULT(DB),                         \
            .fault_rip = AROUND + (length), .available = has_btf, .prepare = clear_dr6,            \
            .check = one_step, .restore = btf_off, .count_unstated = true, __VA_ARGS__             \
    }

static const struct instruction_test steps[] = {
    STEP("NOP", nothing, 1),
    STEP("CPUID", cpuid, 2),
    STEP("IN", in, 1),
    STEP("OUTSB", outsb, 1, .rsi = LOW_DATA),
    STEP("RDTSC", rdtsc, 2),
    STEP("MOV from CR0", read_cr0, 3),
    STEP("INVLPG", invlpg, 3, .rsi = LOW_DATA),
    STEP("SGDT", sgdt, 3, .rsi = LOW_DATA),
    STEP("WBINVD", wbinvd, 2),
    STEP("PAUSE", pause, 2),
};

void test_branch_steps(void)
{
    RUN_TESTS(steps);
}
