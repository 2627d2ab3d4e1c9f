/* RDMSRLIST and WRMSRLIST. */
#include "tests/instructions/recent.h"

#include "kernel/descriptors.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

static bool has_msrlist(void)
{
    return cpuid(7, 1).eax & BIT(27);
}
LACKS(msrlist)

CODE64(rdmsrlist, ".byte 0xF2, 0x0F, 0x01, 0xC6");
CODE64(wrmsrlist, ".byte 0xF3, 0x0F, 0x01, 0xC6");

#define NUMBERS ((volatile u64 *)(u64)LOW_DATA)
#define VALUES ((volatile u64 *)(u64)(LOW_DATA + 512))
#define ENTRIES 64
#define LISTS .rsi = LOW_DATA, .rdi = LOW_DATA + 512
#define THREE (BIT(0) | BIT(5) | BIT(63))

static u64 star_before, lstar_before, gs_before;

void list_prepare(struct run *run)
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

void list_restore(void)
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

void test_msr_lists(void)
{
    RUN_TESTS(lists);
}
