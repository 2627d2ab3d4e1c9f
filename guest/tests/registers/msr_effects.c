/* What was written to an MSR has its effect, wherever Tally keeps the value. */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* WRMSR of RDX:RAX first, so that the write itself is under test. */
CODE64(fs_base, "wrmsr\n mov rbx, fs:[rsi]");
CODE64(gs_base, "wrmsr\n mov rbx, gs:[rsi]");
CODE64(swapgs, "wrmsr\n swapgs\n mov rbx, gs:[rsi]\n swapgs");
CODE64(syscall, "syscall\n int3\n nop");
CODE64(sysenter, "sysenter\n int3");
CODE64(write_and_fetch, "wrmsr\n mov eax, [rsi]");

#define PATTERN 0x0123456789ABCDEFull
#define OFFSET 0x40
#define SYSCALL_LENGTH 2
/* The entry that SYSCALL and SYSENTER go to: INT DONE, as run() appends it, behind the code. */
#define ENTRY(code) (LOW_MEMORY + (u64)(end_of_code_##code - code_##code))

static void pattern_in_memory(struct run *run)
{
    *(volatile u64 *)(u64)LOW_DATA = PATTERN;
    run->gpr[RAX] = LOW_DATA - OFFSET;
    run->gpr[RSI] = OFFSET;
}

static const char *pattern_read(const struct run *run)
{
    return run->gpr[RBX] == PATTERN ? NULL : "not the memory behind the base";
}

static void bases_back(void)
{
    wrmsr(IA32_FS_BASE, 0);
    wrmsr(IA32_GS_BASE, 0);
    wrmsr(IA32_KERNEL_GS_BASE, 0);
}

static void syscall_here(struct run *run)
{
    (void)run;
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE);
    wrmsr(IA32_STAR, (u64)SELECTOR_CODE64 << 32); /* SS is the selector behind it */
    wrmsr(IA32_LSTAR, ENTRY(syscall));
    wrmsr(IA32_FMASK, RFLAGS_CF);
}

static const char *syscall_done(const struct run *run)
{
    if (run->cs != SELECTOR_CODE64)
        return "not in ring 0";
    if (run->gpr[RCX] != LOW_MEMORY + SYSCALL_LENGTH)
        return "RCX is not the return address";
    return run->rflags & RFLAGS_CF || !(run->gpr[R11] & RFLAGS_CF) ? "IA32_FMASK had no effect"
                                                                   : NULL;
}

static void syscall_off(void)
{
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) & ~EFER_SCE);
}

static void sysenter_here(struct run *run)
{
    (void)run;
    wrmsr(IA32_SYSENTER_CS, SELECTOR_CODE64);
    wrmsr(IA32_SYSENTER_EIP, ENTRY(sysenter));
    wrmsr(IA32_SYSENTER_ESP, LOW_STACK_TOP - OFFSET);
}

static const char *sysenter_done(const struct run *run)
{
    if (run->cs != SELECTOR_CODE64)
        return "not in ring 0";
    return run->gpr[RSP] == LOW_STACK_TOP - OFFSET ? NULL : "RSP is not IA32_SYSENTER_ESP";
}

static void sysenter_off(void)
{
    wrmsr(IA32_SYSENTER_CS, 0);
}

static u64 efer_before;

static void no_execute_off(struct run *run)
{
    efer_before = rdmsr(IA32_EFER);
    run->gpr[RAX] = efer_before & ~EFER_NXE;
    run->gpr[RSI] = WINDOW_PAGE(WINDOW_NO_EXECUTE);
}

static void no_execute_back(void)
{
    wrmsr(IA32_EFER, efer_before);
}

#define WRITE(profile) .exits = EXITS(WRMSR, profile, 1)

static const struct instruction_test tests[] = {
    {"IA32_FS_BASE", CODE(fs_base), .rcx = IA32_FS_BASE, WRITE(ALL), .prepare = pattern_in_memory,
     .check = pattern_read, .restore = bases_back},
    {"IA32_GS_BASE", CODE(gs_base), .rcx = IA32_GS_BASE, WRITE(ALL), .prepare = pattern_in_memory,
     .check = pattern_read, .restore = bases_back},
    {"IA32_KERNEL_GS_BASE and SWAPGS", CODE(swapgs), .rcx = IA32_KERNEL_GS_BASE, WRITE(ALL),
     .prepare = pattern_in_memory, .check = pattern_read, .restore = bases_back},
    {"SYSCALL goes to IA32_LSTAR", CODE(syscall), .modes = IN_64, .rflags = RFLAGS_CF,
     .prepare = syscall_here, .check = syscall_done, .restore = syscall_off},
    {"SYSCALL without EFER.SCE", CODE(syscall), .modes = IN_64, .fault = FAULT(UD)},
    {"SYSENTER goes to IA32_SYSENTER_EIP", CODE(sysenter), .modes = IN_64 | IN(32_USER),
     .prepare = sysenter_here, .check = sysenter_done, .restore = sysenter_off},
    {"SYSENTER without IA32_SYSENTER_CS", CODE(sysenter), .modes = IN_64 | IN(32_USER),
     .fault = FAULT(GP)},
    {"without EFER.NXE the bit is reserved", CODE(write_and_fetch), .rcx = IA32_EFER,
     .fault = FAULT(PF), .error = PF_PRESENT | PF_RESERVED, .fault_rip = 2, WRITE(KVM),
     .then = EXITS(EXCEPTION_NMI, ALL, 1), .available = has_no_execute, .prepare = no_execute_off,
     .restore = no_execute_back},
};

void test_msr_effects(void)
{
    RUN_TESTS(tests);
}
