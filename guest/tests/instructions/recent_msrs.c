/* WRMSRNS; RDMSR and WRMSRNS with the MSR as an immediate; URDMSR and UWRMSR. */
#include "tests/instructions/recent.h"

#include "kernel/descriptors.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

static bool has_wrmsrns(void)
{
    return cpuid(7, 1).eax & BIT(19);
}
LACKS(wrmsrns)

CODE64(wrmsrns, ".byte 0x0F, 0x01, 0xC6");
#define STAR_BYTES "0x81, 0x00, 0x00, 0xC0"
CODE64(rdmsr_star_rax, ".byte 0xC4, 0xE7, 0x7B, 0xF6, 0xC0, " STAR_BYTES);
CODE64(rdmsr_star_r9, ".byte 0xC4, 0xC7, 0x7B, 0xF6, 0xC1, " STAR_BYTES);
CODE64(rdmsr_star_rsp, "mov rbx, rsp\n .byte 0xC4, 0xE7, 0x7B, 0xF6, 0xC4, " STAR_BYTES
                       "\n mov rax, rsp\n mov rsp, rbx");
CODE64(rdmsr_feature_control, ".byte 0xC4, 0xE7, 0x7B, 0xF6, 0xC0, 0x3A, 0, 0, 0");
CODE64(rdmsr_missing, ".byte 0xC4, 0xE7, 0x7B, 0xF6, 0xC0, 0xFE, 0x1F, 0, 0");
CODE64(wrmsrns_star_rax, ".byte 0xC4, 0xE7, 0x7A, 0xF6, 0xC0, " STAR_BYTES);
CODE64(wrmsrns_star_r9, ".byte 0xC4, 0xC7, 0x7A, 0xF6, 0xC1, " STAR_BYTES);
CODE64(wrmsrns_lstar_rax, ".byte 0xC4, 0xE7, 0x7A, 0xF6, 0xC0, 0x82, 0x00, 0x00, 0xC0");
CODE64(wrmsrns_apic_base, ".byte 0xC4, 0xE7, 0x7A, 0xF6, 0xC0, 0x1B, 0, 0, 0");

#define STAR 0x0123456789ABCDEFull

/* Bochs up to 3.1 has the instructions, but no model that says so in CPUID. */
static bool has_msr_immediate(void)
{
    struct run r = {.code = CODE(rdmsr_star_rax)};

    run(&r);
    return ran_to_end(&r) || (cpuid(7, 1).ecx & BIT(5));
}

static const char *rax_is_star(const struct run *run)
{
    return run->gpr[RAX] == STAR ? NULL : "RAX is not the MSR's value";
}

static const char *r9_is_star(const struct run *run)
{
    if (run->gpr[RAX] != STALE)
        return "another register was written";
    return run->gpr[R9] == STAR ? NULL : "R9 is not the MSR's value";
}

static const char *is_feature_control(const struct run *run)
{
    return run->gpr[RAX] == rdmsr(IA32_FEATURE_CONTROL) ? NULL : "not what RDMSR reads";
}

static const char *rax_kept(const struct run *run)
{
    return run->gpr[RAX] == STALE ? NULL : "RAX was written";
}

static void star_to_r9(struct run *run)
{
    list_prepare(run);
    run->gpr[R9] = 0x1111222233334444;
}

static const char *star_written(const struct run *run)
{
    (void)run;
    return rdmsr(IA32_STAR) == 0x1111222233334444 ? NULL : "the MSR has another value";
}

static const char *star_kept(const struct run *run)
{
    (void)run;
    return rdmsr(IA32_STAR) == STAR ? NULL : "the MSR was written";
}

static void apic_base_in_rax(struct run *run)
{
    list_prepare(run);
    run->gpr[RAX] = rdmsr(IA32_APIC_BASE);
}

#define IMMEDIATE(name, code, reason, from, ...)                                                   \
    {                                                                                              \
        name, CODE(code), .available = has_msr_immediate, .restore = list_restore,                 \
                          .exits = EXITS(reason, from, 1), __VA_ARGS__                             \
    }
#define READS(name, code, from, ...)                                                               \
    IMMEDIATE(name, code, RDMSR_IMMEDIATE, from, .rax = STALE, .prepare = list_prepare, __VA_ARGS__)
#define WRITES(name, code, from, ...) IMMEDIATE(name, code, WRMSRNS_IMMEDIATE, from, __VA_ARGS__)

static const struct instruction_test immediates[] = {
    READS("RDMSR of an immediate to RAX", rdmsr_star_rax, ALL, .check = rax_is_star),
    READS("RDMSR of an immediate to R9", rdmsr_star_r9, ALL, .check = r9_is_star),
    READS("RDMSR of an immediate to RSP", rdmsr_star_rsp, ALL, .check = rax_is_star),
    READS("RDMSR of an immediate, IA32_FEATURE_CONTROL", rdmsr_feature_control, MINIMAL,
          .check = is_feature_control),
    READS("RDMSR of an immediate, missing MSR", rdmsr_missing, KVM, .fault = FAULT(GP),
          .check = rax_kept),
    {"RDMSR of an immediate", CODE(rdmsr_star_rax), .modes = IN(64_USER), .rax = STALE,
     .fault = FAULT(GP), .available = has_msr_immediate, .check = rax_kept},
    WRITES("WRMSRNS of an immediate from RAX", wrmsrns_star_rax, ALL, .rax = 0x1111222233334444,
           .prepare = list_prepare, .check = star_written),
    WRITES("WRMSRNS of an immediate from R9", wrmsrns_star_r9, ALL, .prepare = star_to_r9,
           .check = star_written),
    WRITES("WRMSRNS of an immediate, IA32_APIC_BASE", wrmsrns_apic_base, MINIMAL,
           .prepare = apic_base_in_rax),
    WRITES("WRMSRNS of an immediate, not canonical", wrmsrns_lstar_rax, ALL, .rax = NOT_CANONICAL,
           .fault = FAULT(GP), .prepare = list_prepare),
    {"WRMSRNS of an immediate", CODE(wrmsrns_star_rax), .modes = IN(64_USER), .fault = FAULT(GP),
     .available = has_msr_immediate, .prepare = list_prepare, .check = star_kept,
     .restore = list_restore},
    /* By registers: reason 32 in the SDM, 85 in Bochs up to 3.1. */
    {"WRMSRNS", CODE(wrmsrns), .rcx = IA32_STAR, .rax = 0x33334444, .rdx = 0x11112222,
     .count_unstated = true, .available = has_wrmsrns, .prepare = list_prepare,
     .check = star_written, .restore = list_restore},
    {"WRMSRNS", CODE(wrmsrns), .modes = IN(64_USER), .rcx = IA32_STAR, .fault = FAULT(GP),
     .available = has_wrmsrns, .prepare = list_prepare, .check = star_kept,
     .restore = list_restore},

    {"RDMSR of an immediate", CODE(rdmsr_star_rax), .modes = IN(32) | IN(32_USER),
     .fault = FAULT(UD)},
    {"WRMSRNS of an immediate", CODE(wrmsrns_star_rax), .modes = IN(32) | IN(32_USER),
     .fault = FAULT(UD)},
    {"WRMSRNS where the CPU has it not", CODE(wrmsrns), .modes = IN_ANY, .fault = FAULT(UD),
     .available = lacks_wrmsrns},
};

/* ---- User mode's MSRs ---- */

static bool has_user_msr(void)
{
    return cpuid(7, 1).edx & BIT(15);
}
LACKS(user_msr)

#define SYSENTER_CS_BYTES "0x74, 0x01, 0x00, 0x00"
CODE64(urdmsr_immediate, ".byte 0xC4, 0xE7, 0x7B, 0xF8, 0xC0, " SYSENTER_CS_BYTES);
CODE64(urdmsr_immediate_r9, ".byte 0xC4, 0xC7, 0x7B, 0xF8, 0xC1, " SYSENTER_CS_BYTES);
CODE64(urdmsr_feature_control, ".byte 0xC4, 0xE7, 0x7B, 0xF8, 0xC0, 0x3A, 0, 0, 0");
CODE64(urdmsr, ".byte 0xF2, 0x0F, 0x38, 0xF8, 0xC8");              /* URDMSR RAX, RCX */
CODE64(urdmsr_r9_r10, ".byte 0xF2, 0x45, 0x0F, 0x38, 0xF8, 0xD1"); /* URDMSR R9, R10 */
CODE64(uwrmsr_immediate, ".byte 0xC4, 0xE7, 0x7A, 0xF8, 0xC0, " SYSENTER_CS_BYTES);
CODE64(uwrmsr, ".byte 0xF3, 0x0F, 0x38, 0xF8, 0xC8"); /* UWRMSR RCX, RAX */

#define SYSENTER_CS_VALUE 0x12345678u
#define USER_MSR_ENABLE BIT(0)
#define LAST_USER_MSR 0x3FFF

/* Which MSRs user mode may read; from byte 2048 on, write. */
static u8 allowed[4096] __attribute__((aligned(4096)));

static void allow(u32 msr)
{
    allowed[msr / 8] |= 1 << msr % 8;
    allowed[2048 + msr / 8] |= 1 << msr % 8;
}

static void user_msr_on(struct run *run)
{
    for (u32 i = 0; i < sizeof(allowed); i++)
        allowed[i] = 0;
    allow(IA32_SYSENTER_CS);
    allow(IA32_FEATURE_CONTROL);
    allow(MISSING);
    wrmsr(IA32_SYSENTER_CS, SYSENTER_CS_VALUE);
    wrmsr(IA32_USER_MSR_CTL, (u64)allowed | USER_MSR_ENABLE);
    run->gpr[R10] = IA32_SYSENTER_CS;
}

static void user_msr_off(void)
{
    wrmsr(IA32_USER_MSR_CTL, 0);
    wrmsr(IA32_SYSENTER_CS, 0);
}

static void nothing_allowed(struct run *run)
{
    user_msr_on(run);
    for (u32 i = 0; i < sizeof(allowed); i++)
        allowed[i] = 0;
}

static const char *rax_is_sysenter_cs(const struct run *run)
{
    return run->gpr[RAX] == SYSENTER_CS_VALUE ? NULL : "RAX is not the MSR's value";
}

static const char *r9_is_sysenter_cs(const struct run *run)
{
    if (run->gpr[RAX] != STALE)
        return "another register was written";
    return run->gpr[R9] == SYSENTER_CS_VALUE ? NULL : "R9 is not the MSR's value";
}

static const char *sysenter_cs_written(const struct run *run)
{
    (void)run;
    return rdmsr(IA32_SYSENTER_CS) == 0x87654321 ? NULL : "the MSR has another value";
}

static const char *sysenter_cs_kept(const struct run *run)
{
    (void)run;
    return rdmsr(IA32_SYSENTER_CS) == SYSENTER_CS_VALUE ? NULL : "the MSR was written";
}

#define USER(name, code, ...)                                                                      \
    {                                                                                              \
        name, CODE(code), .modes = IN_64, .available = has_user_msr, .restore = user_msr_off,      \
                          __VA_ARGS__                                                              \
    }
#define URDMSR(name, code, from, ...)                                                              \
    USER(name, code, .rax = STALE, .rcx = IA32_SYSENTER_CS, .prepare = user_msr_on,                \
         .exits = EXITS(URDMSR, from, 1), __VA_ARGS__)
#define UWRMSR(name, code, ...)                                                                    \
    USER(name, code, .rax = 0x87654321, .rcx = IA32_SYSENTER_CS, __VA_ARGS__)

static const struct instruction_test user_msrs[] = {
    URDMSR("URDMSR of an immediate to RAX", urdmsr_immediate, ALL, .check = rax_is_sysenter_cs),
    URDMSR("URDMSR of an immediate to R9", urdmsr_immediate_r9, ALL, .check = r9_is_sysenter_cs),
    URDMSR("URDMSR of RCX to RAX", urdmsr, ALL, .check = rax_is_sysenter_cs),
    URDMSR("URDMSR of R10 to R9", urdmsr_r9_r10, ALL, .check = r9_is_sysenter_cs),
    URDMSR("URDMSR of IA32_FEATURE_CONTROL", urdmsr_feature_control, MINIMAL,
           .check = is_feature_control),
    USER("URDMSR of a missing MSR", urdmsr, .rax = STALE, .rcx = MISSING, .fault = FAULT(GP),
         .exits = EXITS(URDMSR, KVM, 1), .prepare = user_msr_on, .check = rax_kept),
    USER("URDMSR of an MSR that is not allowed", urdmsr, .rax = STALE, .rcx = IA32_SYSENTER_CS,
         .fault = FAULT(GP), .prepare = nothing_allowed, .check = rax_kept),
    USER("URDMSR of an MSR beyond the bitmap", urdmsr, .rax = STALE, .rcx = LAST_USER_MSR + 1,
         .fault = FAULT(GP), .prepare = user_msr_on, .check = rax_kept),
    USER("URDMSR while it is off", urdmsr, .rax = STALE, .rcx = IA32_SYSENTER_CS,
         .fault = FAULT(UD), .check = rax_kept),
    UWRMSR("UWRMSR of an immediate", uwrmsr_immediate, .exits = EXITS(UWRMSR, ALL, 1),
           .prepare = user_msr_on, .check = sysenter_cs_written),
    UWRMSR("UWRMSR of RCX", uwrmsr, .exits = EXITS(UWRMSR, ALL, 1), .prepare = user_msr_on,
           .check = sysenter_cs_written),
    UWRMSR("UWRMSR of an MSR that is not allowed", uwrmsr, .fault = FAULT(GP),
           .prepare = nothing_allowed, .check = sysenter_cs_kept),
    UWRMSR("UWRMSR while it is off", uwrmsr, .fault = FAULT(UD)),

    {"URDMSR where the CPU has it not", CODE(urdmsr), .modes = IN_64, .fault = FAULT(UD),
     .available = lacks_user_msr},
    {"UWRMSR where the CPU has it not", CODE(uwrmsr), .modes = IN_64, .fault = FAULT(UD),
     .available = lacks_user_msr},
    {"URDMSR of an immediate where the CPU has it not", CODE(urdmsr_immediate), .modes = IN_64,
     .fault = FAULT(UD), .available = lacks_user_msr},
};

void test_msr_instructions(void)
{
    RUN_TESTS(immediates);
    RUN_TESTS(user_msrs);
}
