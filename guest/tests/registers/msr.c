/* RDMSR and WRMSR: MSRs that are there, that are not, and that Tally hides. */
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(rdmsr, "rdmsr");
CODE64(wrmsr, "wrmsr");
CODE64(wrmsr_rdmsr, "wrmsr\n xor eax, eax\n xor edx, edx\n rdmsr");

#define MISSING_LOW 0x1BFE
#define MISSING_HIGH 0xC0001FFE
#define IN_NEITHER_RANGE 0x12345
#define STALE 0xA5A5A5A500000000ull
#define VALUE(value) .rax = (u32)(value), .rdx = (u32)((u64)(value) >> 32)

#define ADDRESS 0xFFFF812345678000ull
#define NOT_CANONICAL_48 0x0000900000000000ull
#define NOT_CANONICAL 0x0100000000000000ull /* nor in the 57 bits of 5-level paging */

static u64 result(const struct run *run)
{
    return run->gpr[RDX] << 32 | run->gpr[RAX];
}

static const char *efer(const struct run *run)
{
    if ((run->gpr[RAX] | run->gpr[RDX]) >> 32)
        return "an upper half is not zero";
    u64 long_mode = run->mode < MODE_P32 ? EFER_LME | EFER_LMA : 0;
    return (result(run) & (EFER_LME | EFER_LMA)) == long_mode ? NULL : "not EFER";
}

static const char *apic_base(const struct run *run)
{
    return (result(run) & APIC_BASE_ENABLE) && (result(run) & APIC_BASE_BSP) ? NULL : "wrong value";
}

static const char *registers_kept(const struct run *run)
{
    u64 stale = run->mode < MODE_P32 ? STALE : 0; /* 32 bits outside IA-32e mode */
    return run->gpr[RAX] == stale && run->gpr[RDX] == stale ? NULL : "a register was written";
}

static const char *reads_address(const struct run *run)
{
    return result(run) == ADDRESS ? NULL : "not the value that was written";
}

#define PAT_REVERSED 0x0001040506070600ull

static const char *reads_pat(const struct run *run)
{
    return result(run) == PAT_REVERSED ? NULL : "not the value that was written";
}

static void restore_pat(void)
{
    wrmsr(IA32_PAT, 0x0007040600070406);
}

static u64 efer_before;

static void prepare_efer_sce(struct run *run)
{
    efer_before = rdmsr(IA32_EFER);
    run->gpr[RAX] = efer_before | EFER_SCE;
}

static const char *efer_sce(const struct run *run)
{
    return result(run) == (efer_before | EFER_SCE) ? NULL : "not the value that was written";
}

static void restore_efer(void)
{
    wrmsr(IA32_EFER, efer_before);
}

/* WRMSR asks for the widest addresses that the CPU has, whatever paging is on. */
static bool addresses_have_48_bits(void)
{
    return (cpuid(0x80000008, 0).eax >> 8 & 0xFF) == 48;
}

/* Addresses are written to registers that nothing uses here; the rest is put back. */
#define BAD_WRITE(name, msr, value, profile)                                                       \
    {                                                                                              \
        name, CODE(wrmsr), .rcx = msr, VALUE(value), .fault = FAULT(GP),                           \
                           .exits = EXITS(WRMSR, profile, 1)                                       \
    }
#define WRITE_AND_READ(profile) .exits = EXITS(WRMSR, profile, 1), .then = EXITS(RDMSR, profile, 1)
#define GOOD_WRITE(name, msr)                                                                      \
    {                                                                                              \
        name, CODE(wrmsr_rdmsr), .rcx = msr, VALUE(ADDRESS), WRITE_AND_READ(ALL),                  \
                                 .check = reads_address                                            \
    }

static const struct instruction_test instructions[] = {
    {"RDMSR IA32_EFER", CODE(rdmsr), .modes = IN_SUPERVISOR, .rcx = STALE | IA32_EFER, .rax = STALE,
     .rdx = STALE, .exits = EXITS(RDMSR, KVM, 1), .check = efer},
    {"RDMSR IA32_APIC_BASE", CODE(rdmsr), .modes = IN_SUPERVISOR, .rcx = IA32_APIC_BASE,
     .exits = EXITS(RDMSR, KVM, 1), .check = apic_base},
    {"RDMSR IA32_EFER", CODE(rdmsr), .modes = IN_USER, .rcx = IA32_EFER, .rax = STALE, .rdx = STALE,
     .fault = FAULT(GP), .check = registers_kept},
    {"WRMSR IA32_EFER", CODE(wrmsr), .modes = IN_USER, .rcx = IA32_EFER, .fault = FAULT(GP)},
    {"RDMSR of a missing MSR in neither range", CODE(rdmsr), .modes = IN_SUPERVISOR,
     .rcx = IN_NEITHER_RANGE, .rax = STALE, .rdx = STALE, .fault = FAULT(GP),
     .exits = EXITS(RDMSR, MINIMAL, 1), .check = registers_kept},
    {"WRMSR of a missing MSR in neither range", CODE(wrmsr), .modes = IN_SUPERVISOR,
     .rcx = IN_NEITHER_RANGE, .fault = FAULT(GP), .exits = EXITS(WRMSR, MINIMAL, 1)},
    {"RDMSR of a missing MSR in neither range", CODE(rdmsr), .modes = IN_USER,
     .rcx = IN_NEITHER_RANGE, .fault = FAULT(GP)},
    {"RDMSR of a missing low MSR", CODE(rdmsr), .rcx = MISSING_LOW, .fault = FAULT(GP),
     .exits = EXITS(RDMSR, KVM, 1)},
    {"RDMSR of a missing high MSR", CODE(rdmsr), .rcx = MISSING_HIGH, .fault = FAULT(GP),
     .exits = EXITS(RDMSR, KVM, 1)},
    {"WRMSR of a missing low MSR", CODE(wrmsr), .rcx = MISSING_LOW, .fault = FAULT(GP),
     .exits = EXITS(WRMSR, MINIMAL, 1)},
    {"WRMSR of a missing high MSR", CODE(wrmsr), .rcx = MISSING_HIGH, .fault = FAULT(GP),
     .exits = EXITS(WRMSR, MINIMAL, 1)},

    GOOD_WRITE("WRMSR IA32_KERNEL_GS_BASE", IA32_KERNEL_GS_BASE),
    GOOD_WRITE("WRMSR IA32_FS_BASE", IA32_FS_BASE),
    GOOD_WRITE("WRMSR IA32_GS_BASE", IA32_GS_BASE),
    GOOD_WRITE("WRMSR IA32_LSTAR", IA32_LSTAR),
    GOOD_WRITE("WRMSR IA32_CSTAR", IA32_CSTAR),
    GOOD_WRITE("WRMSR IA32_STAR", IA32_STAR),
    GOOD_WRITE("WRMSR IA32_SYSENTER_ESP", IA32_SYSENTER_ESP),
    GOOD_WRITE("WRMSR IA32_SYSENTER_EIP", IA32_SYSENTER_EIP),
    {"WRMSR IA32_PAT", CODE(wrmsr_rdmsr), .rcx = IA32_PAT, VALUE(PAT_REVERSED), WRITE_AND_READ(KVM),
     .check = reads_pat, .restore = restore_pat},
    {"WRMSR IA32_EFER sets SCE", CODE(wrmsr_rdmsr), .rcx = IA32_EFER, WRITE_AND_READ(KVM),
     .prepare = prepare_efer_sce, .check = efer_sce, .restore = restore_efer},

    BAD_WRITE("WRMSR IA32_KERNEL_GS_BASE, not canonical", IA32_KERNEL_GS_BASE, NOT_CANONICAL, ALL),
    BAD_WRITE("WRMSR IA32_FS_BASE, not canonical", IA32_FS_BASE, NOT_CANONICAL, ALL),
    BAD_WRITE("WRMSR IA32_LSTAR, not canonical", IA32_LSTAR, NOT_CANONICAL, ALL),
    BAD_WRITE("WRMSR IA32_SYSENTER_EIP, not canonical", IA32_SYSENTER_EIP, NOT_CANONICAL, ALL),
    {"WRMSR IA32_FS_BASE, not canonical in 48 bits", CODE(wrmsr), .rcx = IA32_FS_BASE,
     VALUE(NOT_CANONICAL_48), .fault = FAULT(GP), .exits = EXITS(WRMSR, ALL, 1),
     .available = addresses_have_48_bits},
    BAD_WRITE("WRMSR IA32_PAT, type 2", IA32_PAT, 0x0007040600070402, KVM),
    BAD_WRITE("WRMSR IA32_EFER, reserved bit", IA32_EFER, EFER_LME | EFER_LMA | BIT(1), KVM),
    BAD_WRITE("WRMSR IA32_EFER clears LME under paging", IA32_EFER, EFER_LMA, KVM),
    BAD_WRITE("WRMSR IA32_APIC_BASE, reserved bit", IA32_APIC_BASE, BIT(63), MINIMAL),
    BAD_WRITE("WRMSR IA32_MTRRCAP, read only", IA32_MTRRCAP, 0, KVM),
    BAD_WRITE("WRMSR IA32_FEATURE_CONTROL, locked", IA32_FEATURE_CONTROL, 0, MINIMAL),
};

/* Only Tally makes a CPU whose firmware locked VMX off and whose VMX MSRs are missing. */
static bool rdmsr_faults(u32 msr)
{
    struct run r = {.code = CODE(rdmsr), .gpr = {[RCX] = msr}, .reason = EXIT_RDMSR};

    run(&r);
    return r.vector == VECTOR_GP && !r.error && !r.rip && (!under_tally() || r.reason_exits == 1);
}

static bool wrmsr_faults(u32 msr)
{
    struct run r = {.code = CODE(wrmsr), .gpr = {[RCX] = msr}, .reason = EXIT_WRMSR};

    run(&r);
    return r.vector == VECTOR_GP && !r.error && !r.rip && (!under_tally() || r.reason_exits == 1);
}

static void test_hidden_msrs(void)
{
    bool read_faults = true, write_faults = true;

    for (u32 msr = IA32_VMX_BASIC; under_tally() && msr <= IA32_VMX_EXIT_CTLS2; msr++) {
        read_faults &= rdmsr_faults(msr);
        write_faults &= wrmsr_faults(msr);
    }
    tally_ok(read_faults, "RDMSR of the VMX MSRs, #GP");
    tally_ok(write_faults, "WRMSR of the VMX MSRs, #GP");
    tally_ok(!under_tally() || rdmsr(IA32_FEATURE_CONTROL) == FEATURE_CONTROL_LOCK,
             "IA32_FEATURE_CONTROL is locked with VMX off");
    tally_ok(wrmsr_faults(IA32_SMM_MONITOR_CTL), "WRMSR IA32_SMM_MONITOR_CTL, #GP");
}

/* What an intercepted MSR costs in exits: these are looked at in every profile. */
static void test_counts(void)
{
    struct run r = {
        .code = CODE(rdmsr), .gpr = {[RCX] = IA32_FEATURE_CONTROL}, .reason = EXIT_RDMSR};

    run(&r);
    count_ok(ran_to_end(&r) && r.reason_exits == 1 && r.all_exits == 1 && r.reason_cycles,
             "RDMSR IA32_FEATURE_CONTROL");
}

/* MSRs that should be the same with and without Tally. */
static void show_msrs(void)
{
    static const struct {
        const char *name;
        u32 msr;
    } msrs[] = {
        {"IA32_APIC_BASE", IA32_APIC_BASE},
        {"IA32_MTRRCAP", IA32_MTRRCAP},
        {"IA32_MTRR_DEF_TYPE", IA32_MTRR_DEF_TYPE},
        {"IA32_PAT", IA32_PAT},
        {"IA32_EFER", IA32_EFER},
        {"IA32_SYSENTER_CS", IA32_SYSENTER_CS},
    };

    for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
        ok(true, "%s shows %lx", msrs[i].name, rdmsr(msrs[i].msr));
}

void test_msr(void)
{
    RUN_TESTS(instructions);
    wrmsr(IA32_FS_BASE, 0);
    wrmsr(IA32_GS_BASE, 0);
    show_msrs();
    test_hidden_msrs();
    test_counts();
}
