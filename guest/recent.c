/*
 * Instructions of recent CPUs. TPAUSE, UMWAIT, UMONITOR; RDMSRLIST, WRMSRLIST; WRMSRNS; RDMSR and
 * WRMSRNS with an immediate; URDMSR, UWRMSR. On a CPU without one of them: that it is not there.
 */
#include "descriptors.h"
#include "families.h"
#include "instruction_test.h"
#include "memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define STALE 0xA5A5A5A5A5A5A5A5ull

static bool has_waitpkg(void)
{
    return cpuid(7, 0).ecx & BIT(5);
}

static bool has_wrmsrns(void)
{
    return cpuid(7, 1).eax & BIT(19);
}

static bool has_msrlist(void)
{
    return cpuid(7, 1).eax & BIT(27);
}

static bool has_user_msr(void)
{
    return cpuid(7, 1).edx & BIT(15);
}

#define LACKS(feature)                                                                             \
    static bool lacks_##feature(void)                                                              \
    {                                                                                              \
        return !has_##feature();                                                                   \
    }
LACKS(waitpkg)
LACKS(wrmsrns)
LACKS(msrlist)
LACKS(user_msr)

/* ---- User wait ---- */

CODE64(tpause, ".byte 0x66, 0x0F, 0xAE, 0xF1");          /* TPAUSE ECX */
CODE64(tpause_r9, ".byte 0x66, 0x41, 0x0F, 0xAE, 0xF1"); /* TPAUSE R9D */
CODE64(umwait, ".byte 0xF2, 0x0F, 0xAE, 0xF1");          /* UMWAIT ECX */
CODE64(umwait_r9, ".byte 0xF2, 0x41, 0x0F, 0xAE, 0xF1"); /* UMWAIT R9D */
CODE64(umonitor, ".byte 0xF3, 0x0F, 0xAE, 0xF6");        /* UMONITOR RSI */
CODE64(umonitor_umwait, ".byte 0xF3, 0x0F, 0xAE, 0xF6\n .byte 0xF2, 0x0F, 0xAE, 0xF1");

#define DEEPER_ONLY 1u /* bit 0 of the operand: C0.1; the others are reserved */
#define RESERVED_STATE 2u

/* CF says that the operating system's limit came first: there is none. */
static const char *waited(const struct run *run)
{
    return run->rflags & ARITHMETIC_FLAGS ? "a flag is set" : NULL;
}

static void set_r9(struct run *run)
{
    run->gpr[R9] = STALE << 32 | DEEPER_ONLY;
}

static u64 deadline;

static void until_soon(struct run *run)
{
    deadline = rdtsc() + 2000;
    run->gpr[RAX] = (u32)deadline;
    run->gpr[RDX] = deadline >> 32;
}

static void time_stamps_off(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_TSD);
}

static void time_stamps_on(void)
{
    write_cr4(read_cr4() & ~CR4_TSD);
}

#define IN_ANY (IN_ALL | IN_LEGACY)
#define WAIT(name, code, reason, ...)                                                              \
    {                                                                                              \
        name, CODE(code), .rflags = ARITHMETIC_FLAGS, .exits = EXITS(reason, ALL, 1),              \
                          .available = has_waitpkg, __VA_ARGS__                                    \
    }

static const struct instruction_test waits[] = {
    WAIT("TPAUSE until a time that is past", tpause, TPAUSE, .modes = IN_ANY, .check = waited),
    WAIT("TPAUSE in C0.1", tpause, TPAUSE, .modes = IN_64, .rcx = DEEPER_ONLY, .check = waited),
    WAIT("TPAUSE with R9", tpause_r9, TPAUSE, .modes = IN_64, .rcx = RESERVED_STATE,
         .prepare = set_r9, .check = waited),
    WAIT("TPAUSE until soon", tpause, TPAUSE, .modes = IN_64, .prepare = until_soon,
         .check = waited),
    WAIT("TPAUSE, reserved bit", tpause, TPAUSE, .modes = IN_ANY, .rcx = RESERVED_STATE,
         .fault = FAULT(GP)),
    WAIT("UMWAIT without UMONITOR", umwait, UMWAIT, .modes = IN_ANY, .check = waited),
    WAIT("UMWAIT with R9", umwait_r9, UMWAIT, .modes = IN_64, .rcx = RESERVED_STATE,
         .prepare = set_r9, .check = waited),
    WAIT("UMONITOR and UMWAIT until a time that is past", umonitor_umwait, UMWAIT, .modes = IN_ALL,
         .rsi = LOW_DATA & 0xFFFF, .check = waited),
    WAIT("UMWAIT, reserved bit", umwait, UMWAIT, .modes = IN_ANY, .rcx = RESERVED_STATE,
         .fault = FAULT(GP)),
    {"TPAUSE with CR4.TSD", CODE(tpause), .modes = IN_RING_3, .fault = FAULT(GP),
     .available = has_waitpkg, .prepare = time_stamps_off, .restore = time_stamps_on},
    {"UMWAIT with CR4.TSD", CODE(umwait), .modes = IN_RING_3, .fault = FAULT(GP),
     .available = has_waitpkg, .prepare = time_stamps_off, .restore = time_stamps_on},
    WAIT("TPAUSE with CR4.TSD", tpause, TPAUSE, .prepare = time_stamps_off,
         .restore = time_stamps_on, .check = waited),
    {"UMONITOR of a missing page", CODE(umonitor), .modes = IN(64),
     .rsi = WINDOW_PAGE(WINDOW_MISSING), .fault = FAULT(PF), .available = has_waitpkg},
    {"TPAUSE where the CPU has no user wait", CODE(tpause), .modes = IN_ANY, .fault = FAULT(UD),
     .available = lacks_waitpkg},
    {"UMWAIT where the CPU has no user wait", CODE(umwait), .modes = IN_ANY, .fault = FAULT(UD),
     .available = lacks_waitpkg},
};

/* ---- Lists of MSRs ---- */

CODE64(rdmsrlist, ".byte 0xF2, 0x0F, 0x01, 0xC6");
CODE64(wrmsrlist, ".byte 0xF3, 0x0F, 0x01, 0xC6");

#define NUMBERS ((volatile u64 *)(u64)LOW_DATA)
#define VALUES ((volatile u64 *)(u64)(LOW_DATA + 512))
#define ENTRIES 64
#define LISTS .rsi = LOW_DATA, .rdi = LOW_DATA + 512
#define MISSING 0x1FFE
#define ADDRESS 0xFFFF800012345678ull
#define NOT_CANONICAL 0x0100000000000000ull /* whatever the width of linear addresses */
#define THREE (BIT(0) | BIT(5) | BIT(63))

static u64 star_before, lstar_before, gs_before;

/* The MSRs that nothing uses here, at the places of THREE. */
static void list_prepare(struct run *run)
{
    (void)run;
    for (u32 i = 0; i < ENTRIES; i++) {
        NUMBERS[i] = MISSING;
        VALUES[i] = STALE;
    }
    NUMBERS[0] = IA32_STAR;
    NUMBERS[5] = IA32_LSTAR;
    NUMBERS[63] = IA32_KERNEL_GS_BASE;
    star_before = rdmsr(IA32_STAR);
    lstar_before = rdmsr(IA32_LSTAR);
    gs_before = rdmsr(IA32_KERNEL_GS_BASE);
    wrmsr(IA32_STAR, 0x0123456789ABCDEF);
    wrmsr(IA32_LSTAR, ADDRESS);
    wrmsr(IA32_KERNEL_GS_BASE, ADDRESS + 1);
}

static void list_restore(void)
{
    wrmsr(IA32_STAR, star_before);
    wrmsr(IA32_LSTAR, lstar_before);
    wrmsr(IA32_KERNEL_GS_BASE, gs_before);
}

static bool values_are(u64 first, u64 sixth, u64 last)
{
    for (u32 i = 0; i < ENTRIES; i++) {
        u64 expected = i == 0 ? first : i == 5 ? sixth : i == 63 ? last : STALE;
        if (VALUES[i] != expected)
            return false;
    }
    return true;
}

static const char *list_read(const struct run *run)
{
    if (run->gpr[RCX])
        return "RCX is not 0";
    if (!values_are(0x0123456789ABCDEF, ADDRESS, ADDRESS + 1))
        return "not the MSRs' values, each in its place";
    return run->gpr[RSI] == LOW_DATA && run->gpr[RDI] == LOW_DATA + 512 ? NULL : "a pointer moved";
}

static const char *nothing_read(const struct run *run)
{
    (void)run;
    return values_are(STALE, STALE, STALE) ? NULL : "a value was stored";
}

/* The first is done and off the list; the second faulted. */
static const char *one_read(const struct run *run)
{
    if (run->gpr[RCX] != (THREE & ~BIT(0)))
        return "RCX does not say which are left";
    return values_are(0x0123456789ABCDEF, STALE, STALE) ? NULL : "not exactly one value was stored";
}

static void second_is_missing(struct run *run)
{
    list_prepare(run);
    NUMBERS[5] = MISSING;
}

static void second_is_reserved(struct run *run)
{
    list_prepare(run);
    NUMBERS[5] |= BIT(32);
}

static void feature_control(struct run *run)
{
    list_prepare(run);
    NUMBERS[0] = IA32_FEATURE_CONTROL;
}

static const char *feature_control_read(const struct run *run)
{
    (void)run;
    return values_are(rdmsr(IA32_FEATURE_CONTROL), STALE, STALE) ? NULL : "not what RDMSR reads";
}

static void values_to_write(struct run *run)
{
    list_prepare(run);
    VALUES[0] = 0x1111222233334444;
    VALUES[5] = ADDRESS + 2;
    VALUES[63] = ADDRESS + 3;
}

static const char *list_written(const struct run *run)
{
    if (run->gpr[RCX])
        return "RCX is not 0";
    return rdmsr(IA32_STAR) == 0x1111222233334444 && rdmsr(IA32_LSTAR) == ADDRESS + 2 &&
                   rdmsr(IA32_KERNEL_GS_BASE) == ADDRESS + 3
               ? NULL
               : "not the values of the list";
}

static void second_is_not_canonical(struct run *run)
{
    values_to_write(run);
    VALUES[5] = NOT_CANONICAL;
}

static const char *one_written(const struct run *run)
{
    if (run->gpr[RCX] != (THREE & ~BIT(0)))
        return "RCX does not say which are left";
    return rdmsr(IA32_STAR) == 0x1111222233334444 && rdmsr(IA32_LSTAR) == ADDRESS &&
                   rdmsr(IA32_KERNEL_GS_BASE) == ADDRESS + 1
               ? NULL
               : "not exactly one MSR was written";
}

static void apic_base_as_it_is(struct run *run)
{
    list_prepare(run);
    NUMBERS[0] = IA32_APIC_BASE;
    VALUES[0] = rdmsr(IA32_APIC_BASE);
}

static void step_prepare(struct run *run)
{
    list_prepare(run);
    write_dr6(DR6_FIXED);
}

static const char *stepped(const struct run *run)
{
    if (run->dr6 != (DR6_FIXED | DR6_BS))
        return "DR6 should show BS alone";
    return one_read(run);
}

static void step_restore(void)
{
    list_restore();
    write_dr6(DR6_FIXED);
}

#define MSRS(name, code, ...)                                                                      \
    {                                                                                              \
        name, CODE(code), .available = has_msrlist, .restore = list_restore, __VA_ARGS__           \
    }
#define EACH(reason, minimal, count) .exits = EXITS(reason, minimal, count)

static const struct instruction_test lists[] = {
    MSRS("RDMSRLIST of three MSRs", rdmsrlist, LISTS, .rcx = THREE, EACH(RDMSRLIST, ALL, 3),
         .prepare = list_prepare, .check = list_read),
    MSRS("RDMSRLIST of none", rdmsrlist, LISTS, .prepare = list_prepare, .check = nothing_read),
    MSRS("RDMSRLIST of IA32_FEATURE_CONTROL", rdmsrlist, LISTS, .rcx = BIT(0),
         EACH(RDMSRLIST, MINIMAL, 1), .prepare = feature_control, .check = feature_control_read),
    MSRS("RDMSRLIST with a missing MSR", rdmsrlist, LISTS, .rcx = THREE, .fault = FAULT(GP),
         EACH(RDMSRLIST, KVM, 1), .then = EXITS(RDMSRLIST, ALL, 1), .prepare = second_is_missing,
         .check = one_read),
    MSRS("RDMSRLIST, reserved bit in the list", rdmsrlist, LISTS, .rcx = THREE, .fault = FAULT(GP),
         EACH(RDMSRLIST, ALL, 1), .others_exit = true, .prepare = second_is_reserved,
         .check = one_read),
    MSRS("RDMSRLIST, list not aligned", rdmsrlist, .rsi = LOW_DATA + 4, .rdi = LOW_DATA + 512,
         .rcx = THREE, .fault = FAULT(GP), .prepare = list_prepare, .check = nothing_read),
    MSRS("RDMSRLIST, values not aligned", rdmsrlist, .rsi = LOW_DATA, .rdi = LOW_DATA + 513,
         .rcx = THREE, .fault = FAULT(GP), .prepare = list_prepare),
    MSRS("RDMSRLIST from a missing page", rdmsrlist, .rsi = WINDOW_PAGE(WINDOW_MISSING),
         .rdi = LOW_DATA + 512, .rcx = THREE, .fault = FAULT(PF), .prepare = list_prepare,
         .check = nothing_read),
    MSRS("RDMSRLIST to a missing page", rdmsrlist, .rsi = LOW_DATA,
         .rdi = WINDOW_PAGE(WINDOW_MISSING), .rcx = THREE, .fault = FAULT(PF), .error = PF_WRITE,
         EACH(RDMSRLIST, ALL, 1), .prepare = list_prepare, .check = nothing_read),
    MSRS("RDMSRLIST", rdmsrlist, LISTS, .modes = IN(64_USER), .rcx = THREE, .fault = FAULT(GP),
         .prepare = list_prepare, .check = nothing_read),

    /* A trap after each MSR: RIP still points at the instruction. */
    {"step into RDMSRLIST", CODE(rdmsrlist), LISTS, .rcx = THREE, .rflags = RFLAGS_TF,
     .fault = FAULT(DB), EACH(RDMSRLIST, ALL, 1), .then = EXITS(EXCEPTION_NMI, MINIMAL, 1),
     .available = has_msrlist, .prepare = step_prepare, .check = stepped, .restore = step_restore},

    MSRS("WRMSRLIST of three MSRs", wrmsrlist, LISTS, .rcx = THREE, EACH(WRMSRLIST, ALL, 3),
         .prepare = values_to_write, .check = list_written),
    MSRS("WRMSRLIST of none", wrmsrlist, LISTS, .prepare = list_prepare, .check = nothing_read),
    MSRS("WRMSRLIST of IA32_APIC_BASE", wrmsrlist, LISTS, .rcx = BIT(0),
         EACH(WRMSRLIST, MINIMAL, 1), .prepare = apic_base_as_it_is),
    MSRS("WRMSRLIST, not canonical", wrmsrlist, LISTS, .rcx = THREE, .fault = FAULT(GP),
         EACH(WRMSRLIST, ALL, 2), .prepare = second_is_not_canonical, .check = one_written),
    MSRS("WRMSRLIST from a missing page", wrmsrlist, .rsi = LOW_DATA,
         .rdi = WINDOW_PAGE(WINDOW_MISSING), .rcx = THREE, .fault = FAULT(PF),
         .prepare = list_prepare),
    MSRS("WRMSRLIST", wrmsrlist, LISTS, .modes = IN(64_USER), .rcx = THREE, .fault = FAULT(GP),
         .prepare = list_prepare, .check = nothing_read),

    {"RDMSRLIST", CODE(rdmsrlist), .modes = IN_32_AND_16 | IN_LEGACY, .fault = FAULT(UD)},
    {"WRMSRLIST", CODE(wrmsrlist), .modes = IN_32_AND_16 | IN_LEGACY, .fault = FAULT(UD)},
    {"RDMSRLIST where the CPU has it not", CODE(rdmsrlist), .modes = IN_64, .fault = FAULT(UD),
     .available = lacks_msrlist},
    {"WRMSRLIST where the CPU has it not", CODE(wrmsrlist), .modes = IN_64, .fault = FAULT(UD),
     .available = lacks_msrlist},
};

/* ---- The MSR as an immediate ---- */

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

void test_recent(void)
{
    RUN_TESTS(waits);
    RUN_TESTS(lists);
    RUN_TESTS(immediates);
    RUN_TESTS(user_msrs);
}
