/*
 * #DB: single steps over every kind of instruction that Tally carries out, breakpoints, INT1.
 * SDM vol. 3, 'Debug Exceptions'.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(nops, "nop\n nop\n nop");
CODE64(int1, ".byte 0xF1");
CODE64(ud2, "ud2");
CODE64(vmcall, "vmcall\n nop");
CODE64(cpuid, "cpuid\n nop");
CODE64(rdmsr, "rdmsr\n nop");
CODE64(wrmsr, "wrmsr\n nop");
CODE64(in_al, "in al, dx\n nop");
CODE64(rep_outsb, "rep outsb\n nop");
CODE64(swap_cr0, "mov cr0, rax\n nop");
CODE64(read_cr3, "mov rax, cr3\n nop");
CODE64(write_cr8, "mov cr8, rax\n nop");
CODE64(clts, "clts\n nop");
CODE64(read_dr7, "mov rax, dr7\n nop");
CODE64(wbinvd, "wbinvd\n nop");
CODE64(invlpg, "invlpg [rsi]\n nop");
CODE64(rdtsc, "rdtsc\n nop");
CODE64(pause, "pause\n nop");
CODE64(sgdt, "sgdt [rsi]\n nop");
CODE64(str, "str eax\n nop");
CODE64(sti, "sti\n nop");
CODE64(sti_cpuid, "sti\n cpuid\n nop");
CODE64(mov_ss, "mov ss, ecx\n nop\n nop");
CODE64(mov_ss_cpuid, "mov ss, esi\n cpuid\n nop");
CODE64(write, "mov [rsi], eax\n nop");
CODE64(read, "mov eax, [rsi]\n nop");

static void steps(struct run *run)
{
    (void)run;
    write_dr6(DR6_FIXED);
}

static void step_over_cr0(struct run *run)
{
    write_dr6(DR6_FIXED);
    run->gpr[RAX] = read_cr0();
}

static const char *single_step(const struct run *run)
{
    if (run->dr6 != (DR6_FIXED | DR6_BS))
        return "DR6 should show BS alone";
    return run->rflags & RFLAGS_TF ? NULL : "TF was cleared in the saved flags";
}

static const char *one_element_done(const struct run *run)
{
    return run->gpr[RCX] == 7 ? single_step(run) : "not one element was written";
}

static const char *no_step(const struct run *run)
{
    if (read_dr6() != DR6_FIXED)
        return "DR6 was changed";
    return run->rflags & RFLAGS_TF ? NULL : "TF was cleared in the saved flags";
}

static const char *no_reason_in_dr6(const struct run *run)
{
    return run->dr6 == DR6_FIXED ? NULL : "DR6 was changed";
}

#define DR7_ENABLE_0 BIT(1)
#define DR7_WRITE_0 (BIT(16) | 3ull << 18)     /* four bytes written */
#define DR7_ACCESS_0 (3ull << 16 | 3ull << 18) /* read or written */

#define DR7_PORT_0 (2ull << 16) /* one byte of I/O */

static void break_at(u64 address, u64 dr7)
{
    write_dr6(DR6_FIXED);
    write_dr0(address);
    write_dr7(DR7_FIXED | DR7_ENABLE_0 | dr7);
}

static void break_at_second_nop(struct run *run)
{
    (void)run;
    break_at(LOW_MEMORY + 1, 0);
}

static void break_at_first_instruction(struct run *run)
{
    (void)run;
    break_at(LOW_MEMORY, 0);
}

static void break_behind_cpuid(struct run *run)
{
    (void)run;
    break_at(LOW_MEMORY + 2, 0);
}

static void break_at_write(struct run *run)
{
    (void)run;
    break_at(LOW_DATA, DR7_WRITE_0);
}

static void break_at_access(struct run *run)
{
    (void)run;
    break_at(LOW_DATA, DR7_ACCESS_0);
}

/* On port 0x80, with CR4.DE. SDM vol. 3, 'I/O Breakpoint Exception Conditions'. */
static void break_at_port(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_DE);
    break_at(0x80, DR7_PORT_0);
}

static const char *breakpoint_0(const struct run *run)
{
    return run->dr6 == (DR6_FIXED | 1) ? NULL : "DR6 should show B0 alone";
}

static void restore(void)
{
    write_dr7(DR7_FIXED);
    write_dr6(DR6_FIXED);
    write_dr0(0);
    write_cr4(read_cr4() & ~CR4_DE);
}

#define DB_EXITS(n) EXITS(EXCEPTION_NMI, MINIMAL, n)
#define STEP_WITH(prepared, checked, name, code, in, end, ...)                                     \
    {                                                                                              \
        name, CODE(code), .modes = in, .rflags = RFLAGS_TF, .fault = FAULT(DB), .fault_rip = end,  \
                          .prepare = prepared, .check = checked, .restore = restore,               \
                          .then = DB_EXITS(1), __VA_ARGS__                                         \
    }
#define STEP(...) STEP_WITH(steps, single_step, __VA_ARGS__)

static const struct instruction_test single_steps[] = {
    STEP("step over NOP", nops, IN_ALL | IN_LEGACY, 1),
    STEP("step over CPUID", cpuid, IN_ALL | IN_LEGACY, 2, .exits = EXITS(CPUID, MINIMAL, 1)),
    STEP("step over RDMSR", rdmsr, IN(64), 2, .rcx = IA32_EFER, .exits = EXITS(RDMSR, KVM, 1)),
    STEP("step over WRMSR", wrmsr, IN(64), 2, .rcx = IA32_STAR, .exits = EXITS(WRMSR, ALL, 1)),
    STEP("step over IN", in_al, IN(64) | IN(32), 1, .rdx = 0x80,
         .exits = EXITS(IO_INSTRUCTION, KVM, 1)),
    STEP_WITH(step_over_cr0, single_step, "step over MOV CR0", swap_cr0, IN(64), 3),
    STEP("step over MOV from CR3", read_cr3, IN(64), 3, .exits = EXITS(CR_ACCESS, ALL, 1)),
    STEP("step over MOV CR8", write_cr8, IN(64), 4, .exits = EXITS(CR_ACCESS, ALL, 1)),
    STEP("step over CLTS", clts, IN(64), 2),
    STEP("step over MOV from DR7", read_dr7, IN(64), 3, .exits = EXITS(MOV_DR, ALL, 1)),
    STEP("step over WBINVD", wbinvd, IN(64), 2, .exits = EXITS(WBINVD, KVM, 1)),
    STEP("step over INVLPG", invlpg, IN(64), 3, .rsi = LOW_DATA, .exits = EXITS(INVLPG, ALL, 1)),
    STEP("step over RDTSC", rdtsc, IN_64, 2, .exits = EXITS(RDTSC, ALL, 1)),
    STEP("step over PAUSE", pause, IN_64, 2, .exits = EXITS(PAUSE, ALL, 1)),
    STEP("step over SGDT", sgdt, IN_64, 3, .rsi = LOW_DATA,
         .exits = EXITS(GDTR_IDTR_ACCESS, ALL, 1)),
    STEP("step over STR", str, IN_64, 3, .exits = EXITS(LDTR_TR_ACCESS, ALL, 1)),
    STEP_WITH(steps, one_element_done, "step over one element of REP OUTSB", rep_outsb, IN(64), 0,
              .rcx = 8, .rdx = 0x80, .rsi = LOW_DATA, .exits = EXITS(IO_INSTRUCTION, KVM, 1)),
    STEP("step over STI", sti, IN(64), 1),
    STEP("step over MOV SS and NOP", mov_ss, IN(64), 3, .rcx = SELECTOR_DATA),
    STEP("step over MOV SS and CPUID", mov_ss_cpuid, IN(64), 4, .rsi = SELECTOR_DATA,
         .exits = EXITS(CPUID, MINIMAL, 1)),
    {"UD2 under TF", CODE(ud2), .modes = IN_64, .rflags = RFLAGS_TF, .fault = FAULT(UD),
     .prepare = steps, .check = no_step},
    {"VMCALL under TF", CODE(vmcall), .modes = IN_64, .rflags = RFLAGS_TF, .fault = FAULT(UD),
     .exits = EXITS(VMCALL, MINIMAL, 1), .prepare = steps, .check = no_step},
};

static const struct instruction_test breakpoints[] = {
    {"INT1", CODE(int1), .modes = IN_ALL | IN_LEGACY, .fault = FAULT(DB), .fault_rip = 1,
     .prepare = steps, .check = no_reason_in_dr6},
    {"breakpoint on an instruction", CODE(nops), .modes = IN_64, .fault = FAULT(DB), .fault_rip = 1,
     .prepare = break_at_second_nop, .check = breakpoint_0, .restore = restore},
    {"breakpoint on CPUID", CODE(cpuid), .modes = IN_64, .fault = FAULT(DB),
     .prepare = break_at_first_instruction, .check = breakpoint_0, .restore = restore,
     .then = DB_EXITS(1)},
    {"RF steps over a breakpoint on CPUID", CODE(cpuid), .rflags = RFLAGS_RF,
     .exits = EXITS(CPUID, MINIMAL, 1), .prepare = break_at_first_instruction, .restore = restore},
    {"CPUID ends RF", CODE(cpuid), .rflags = RFLAGS_RF, .fault = FAULT(DB), .fault_rip = 2,
     .exits = EXITS(CPUID, MINIMAL, 1), .then = DB_EXITS(1), .prepare = break_behind_cpuid,
     .check = breakpoint_0, .restore = restore},
    {"breakpoint on a write", CODE(write), .modes = IN_64, .rsi = LOW_DATA, .fault = FAULT(DB),
     .fault_rip = 2, .prepare = break_at_write, .check = breakpoint_0, .restore = restore},
    {"breakpoint on a port", CODE(in_al), .rdx = 0x80, .fault = FAULT(DB), .fault_rip = 1,
     .exits = EXITS(IO_INSTRUCTION, KVM, 1), .then = DB_EXITS(1), .prepare = break_at_port,
     .check = breakpoint_0, .restore = restore},
    {"no breakpoint on another port", CODE(in_al), .rdx = 0x81,
     .exits = EXITS(IO_INSTRUCTION, KVM, 1), .prepare = break_at_port, .restore = restore},
    {"no breakpoint of writes on a read", CODE(read), .rsi = LOW_DATA, .prepare = break_at_write,
     .restore = restore},
    {"breakpoint on a read", CODE(read), .modes = IN_64, .rsi = LOW_DATA, .fault = FAULT(DB),
     .fault_rip = 2, .prepare = break_at_access, .check = breakpoint_0, .restore = restore},
};

void test_debug_exceptions(void)
{
    RUN_TESTS(single_steps);
    RUN_TESTS(breakpoints);
}
