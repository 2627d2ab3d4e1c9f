/*
 * #DB over what Tally carries out in the guest's place, beyond debug_exceptions.c: single steps
 * over every kind of it, breakpoints on the ports and on the memory that it accesses.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"

CODE64(out_al, "out dx, al\n nop");
CODE64(in_eax, "in eax, dx\n nop");
CODE64(insb, "insb\n nop");
CODE64(outsb, "outsb\n nop");
CODE64(rep_insb, "rep insb\n nop");
CODE64(rep_outsb, "rep outsb\n nop");
CODE64(read_cr0, "mov rax, cr0\n nop");
CODE64(smsw, "smsw eax\n nop");
CODE64(lmsw, "lmsw ax\n nop");
CODE64(write_cr3, "mov cr3, rax\n nop");
CODE64(write_cr4, "mov cr4, rax\n nop");
CODE64(read_cr8, "mov rax, cr8\n nop");
CODE64(write_dr1, "mov dr1, rax\n nop");
CODE64(rdtscp, "rdtscp\n nop");
CODE64(invpcid, "invpcid rax, [rsi]\n nop");
CODE64(sgdt, "sgdt [rsi]\n nop");
CODE64(sidt, "sidt [rsi]\n nop");
CODE64(lgdt, "lgdt [rsi]\n nop");
CODE64(lidt, "lidt [rsi]\n nop");
CODE64(sldt, "sldt eax\n nop");
CODE64(sldt_memory, "sldt [rsi]\n nop");
CODE64(lldt, "lldt ax\n nop");
CODE64(lldt_memory, "lldt [rsi]\n nop");
CODE64(ltr, "ltr ax\n nop");
CODE64(rdrand, "rdrand eax\n nop");
CODE64(rdseed, "rdseed eax\n nop");
CODE64(xsetbv, "xsetbv\n nop");

#define CPUID_1_ECX_XSAVE BIT(26)
#define CPUID_1_ECX_RDRAND BIT(30)
#define CPUID_7_EBX_INVPCID BIT(10)
#define CPUID_7_EBX_RDSEED BIT(18)
#define CPUID_EXTENDED_EDX_RDTSCP BIT(27)
#define INVPCID_ALL 2
#define DESCRIPTOR_BUSY BIT(41)

static bool has_xsave(void)
{
    return cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE;
}

static bool has_rdrand(void)
{
    return cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
}

static bool has_rdseed(void)
{
    return cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED;
}

static bool has_invpcid(void)
{
    return cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID;
}

static bool has_rdtscp(void)
{
    return cpuid(0x80000001, 0).edx & CPUID_EXTENDED_EDX_RDTSCP;
}

static void step(struct run *run)
{
    (void)run;
    write_dr6(DR6_FIXED);
    for (u32 i = 0; i < 2; i++) /* what operands in memory are read from */
        ((volatile u64 *)(u64)LOW_DATA)[i] = 0;
}

#define STEP_WITH(name, what)                                                                      \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        step(run);                                                                                 \
        what;                                                                                      \
    }
STEP_WITH(with_cr0, run->gpr[RAX] = read_cr0())
STEP_WITH(with_cr3, run->gpr[RAX] = read_cr3())
STEP_WITH(with_cr4, run->gpr[RAX] = read_cr4())
STEP_WITH(with_gdt, __asm__ volatile("sgdt (%0)" : : "r"((u64)LOW_DATA) : "memory"))
STEP_WITH(with_idt, __asm__ volatile("sidt (%0)" : : "r"((u64)LOW_DATA) : "memory"))
STEP_WITH(with_idle_tss, gdt[SELECTOR_TSS / 8] &= ~DESCRIPTOR_BUSY)
STEP_WITH(with_osxsave, write_cr4(read_cr4() | CR4_OSXSAVE))

static void osxsave_off(void)
{
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

static const char *single_step(const struct run *run)
{
    return run->dr6 == (DR6_FIXED | DR6_BS) ? NULL : "DR6 should show BS alone";
}

static const char *one_element_done(const struct run *run)
{
    return run->gpr[RCX] == 7 ? single_step(run) : "not one element was read";
}

#define STEP(name, code, end, prepared, ...)                                                       \
    {                                                                                              \
        "step over " name, CODE(code), .rflags = RFLAGS_TF, .fault = FAULT(DB), .fault_rip = end,  \
                                       .prepare = prepared, .check = single_step,                  \
                                       .count_unstated = true, __VA_ARGS__                         \
    }

static const struct instruction_test steps[] = {
    STEP("OUT", out_al, 1, step, .rdx = 0x80),
    STEP("IN EAX", in_eax, 1, step, .rdx = 0x80),
    STEP("INSB", insb, 1, step, .rdx = 0x80, .rdi = LOW_DATA),
    STEP("OUTSB", outsb, 1, step, .rdx = 0x80, .rsi = LOW_DATA),
    {"step over one element of REP INSB", CODE(rep_insb), .rflags = RFLAGS_TF, .fault = FAULT(DB),
     .rcx = 8, .rdx = 0x80, .rdi = LOW_DATA, .prepare = step, .check = one_element_done,
     .count_unstated = true},
    STEP("MOV from CR0", read_cr0, 3, step),
    STEP("SMSW", smsw, 3, step),
    STEP("LMSW", lmsw, 3, with_cr0),
    STEP("MOV CR3", write_cr3, 3, with_cr3),
    STEP("MOV CR4", write_cr4, 3, with_cr4),
    STEP("MOV from CR8", read_cr8, 4, step),
    STEP("MOV DR1", write_dr1, 3, step),
    STEP("RDTSCP", rdtscp, 3, step, .available = has_rdtscp),
    STEP("INVPCID", invpcid, 5, step, .rax = INVPCID_ALL, .rsi = LOW_DATA,
         .available = has_invpcid),
    STEP("SIDT", sidt, 3, step, .rsi = LOW_DATA),
    STEP("LGDT", lgdt, 3, with_gdt, .rsi = LOW_DATA),
    STEP("LIDT", lidt, 3, with_idt, .rsi = LOW_DATA),
    STEP("SLDT", sldt, 3, step),
    STEP("SLDT to memory", sldt_memory, 3, step, .rsi = LOW_DATA),
    STEP("LLDT", lldt, 3, step),
    STEP("LLDT from memory", lldt_memory, 3, step, .rsi = LOW_DATA),
    STEP("LTR", ltr, 3, with_idle_tss, .rax = SELECTOR_TSS),
    STEP("RDRAND", rdrand, 3, step, .available = has_rdrand),
    STEP("RDSEED", rdseed, 3, step, .available = has_rdseed),
    STEP("XSETBV", xsetbv, 3, with_osxsave, .rax = XCR0_X87, .available = has_xsave,
         .restore = osxsave_off),
};

#define DR7_ENABLE_0 BIT(1)
#define DR7_PORT (2ull << 16)                /* one byte */
#define DR7_WRITE BIT(16)                    /* one byte */
#define DR7_ACCESS (3ull << 16 | 3ull << 18) /* four bytes, read or written */

static void break_on(u64 address, u64 dr7)
{
    write_dr6(DR6_FIXED);
    write_dr0(address);
    write_dr7(DR7_FIXED | DR7_ENABLE_0 | dr7);
}

static void break_on_port(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_DE);
    break_on(0x80, DR7_PORT);
}

#define BREAK_ON(name, prepared, address, dr7)                                                     \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        prepared(run);                                                                             \
        break_on(address, dr7);                                                                    \
    }
BREAK_ON(break_on_write, step, LOW_DATA, DR7_WRITE)
BREAK_ON(break_on_second_write, step, LOW_DATA + 1, DR7_WRITE)
BREAK_ON(break_on_access, step, LOW_DATA, DR7_ACCESS)
BREAK_ON(break_on_gdt_pointer, with_gdt, LOW_DATA, DR7_ACCESS)

static void breakpoints_off(void)
{
    write_dr7(DR7_FIXED);
    write_dr6(DR6_FIXED);
    write_dr0(0);
    write_cr4(read_cr4() & ~CR4_DE);
}

static const char *breakpoint_0(const struct run *run)
{
    return run->dr6 == (DR6_FIXED | 1) ? NULL : "DR6 should show B0 alone";
}

static const char *two_elements_done(const struct run *run)
{
    return run->gpr[RCX] == 6 ? breakpoint_0(run) : "not two elements were read";
}

#define BREAK(name, code, end, prepared, checked, ...)                                             \
    {                                                                                              \
        "breakpoint on " name, CODE(code),                                                         \
            .fault = FAULT(DB), .fault_rip = end, .prepare = prepared, .check = checked,           \
            .restore = breakpoints_off, .count_unstated = true, __VA_ARGS__                        \
    }

static const struct instruction_test breakpoints[] = {
    BREAK("the port of OUT", out_al, 1, break_on_port, breakpoint_0, .rdx = 0x80),
    BREAK("the last byte of IN EAX", in_eax, 1, break_on_port, breakpoint_0, .rdx = 0x7D),
    BREAK("the port of INSB", insb, 1, break_on_port, breakpoint_0, .rdx = 0x80, .rdi = LOW_DATA),
    BREAK("the port of REP OUTSB", rep_outsb, 0, break_on_port, breakpoint_0, .rcx = 8, .rdx = 0x80,
          .rsi = LOW_DATA),
    BREAK("what INSB writes", insb, 1, break_on_write, breakpoint_0, .rdx = 0x80, .rdi = LOW_DATA),
    BREAK("the second byte of REP INSB", rep_insb, 0, break_on_second_write, two_elements_done,
          .rcx = 8, .rdx = 0x80, .rdi = LOW_DATA),
    BREAK("what OUTSB reads", outsb, 1, break_on_access, breakpoint_0, .rdx = 0x80,
          .rsi = LOW_DATA),
    BREAK("what SGDT writes", sgdt, 3, break_on_write, breakpoint_0, .rsi = LOW_DATA),
    BREAK("what LGDT reads", lgdt, 3, break_on_gdt_pointer, breakpoint_0, .rsi = LOW_DATA),
    BREAK("what SLDT writes", sldt_memory, 3, break_on_write, breakpoint_0, .rsi = LOW_DATA),
    BREAK("what LLDT reads", lldt_memory, 3, break_on_access, breakpoint_0, .rsi = LOW_DATA),
    BREAK("what INVPCID reads", invpcid, 5, break_on_access, breakpoint_0, .rax = INVPCID_ALL,
          .rsi = LOW_DATA, .available = has_invpcid),
};

void test_emulated_steps(void)
{
    RUN_TESTS(steps);
    RUN_TESTS(breakpoints);
}
