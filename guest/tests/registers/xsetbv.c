/* XSETBV and XGETBV: good values, each kind of bad one, privilege, and CR4.OSXSAVE. */
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "kernel/xcr0.h"
#include "x86/instructions.h"

CODE64(xgetbv, "xgetbv");
CODE64(xsetbv, "xsetbv");
CODE64(xsetbv_xgetbv, "xsetbv\n xor eax, eax\n xor edx, edx\n xgetbv");

#define STALE 0xA5A5A5A500000000ull
#define CPUID1_ECX_XSAVE BIT(26)
#define CPUID1_ECX_AVX BIT(28)

static u64 cr4_before, xcr0_before;

static bool has_xsave(void)
{
    return cpuid(1, 0).ecx & CPUID1_ECX_XSAVE;
}

static bool has_avx(void)
{
    return has_xsave() && cpuid(1, 0).ecx & CPUID1_ECX_AVX;
}

static void restore(void)
{
    xsetbv(xcr0_before);
}

static const char *reads(const struct run *run, u64 value)
{
    if ((run->gpr[RAX] | run->gpr[RDX]) >> 32)
        return "an upper half is not zero";
    return (run->gpr[RDX] << 32 | run->gpr[RAX]) == value ? NULL : "another value in XCR0";
}

static const char *reads_current(const struct run *run)
{
    return reads(run, xcr0_before);
}

static const char *reads_x87(const struct run *run)
{
    return reads(run, XCR0_X87);
}

static const char *reads_sse(const struct run *run)
{
    return reads(run, XCR0_X87 | XCR0_SSE);
}

static const char *reads_avx(const struct run *run)
{
    return reads(run, XCR0_X87 | XCR0_SSE | XCR0_AVX);
}

static const char *unchanged(const struct run *run)
{
    (void)run;
    return xgetbv() == xcr0_before ? NULL : "XCR0 was changed";
}

static void osxsave_off(struct run *run)
{
    (void)run;
    write_cr4(cr4_before & ~CR4_OSXSAVE);
}

static void osxsave_on(void)
{
    write_cr4(cr4_before | CR4_OSXSAVE);
}

#define ONE_EXIT EXITS(XSETBV, MINIMAL, 1)
#define GOOD(name, value, result, feature)                                                         \
    {                                                                                              \
        name, CODE(xsetbv_xgetbv), .modes = IN_SUPERVISOR, .rax = value, .exits = ONE_EXIT,        \
                                   .available = feature, .check = result, .restore = restore       \
    }
#define BAD(name, ...)                                                                             \
    {                                                                                              \
        name, CODE(xsetbv), .fault = FAULT(GP), .exits = ONE_EXIT, .available = has_xsave,         \
                            .check = unchanged, __VA_ARGS__                                        \
    }

static const struct instruction_test instructions[] = {
    {"XGETBV", CODE(xgetbv), .modes = IN_ALL | IN_LEGACY, .rax = STALE, .rcx = STALE, .rdx = STALE,
     .available = has_xsave, .check = reads_current},
    GOOD("XSETBV x87", XCR0_X87, reads_x87, has_xsave),
    GOOD("XSETBV x87, SSE", STALE | XCR0_X87 | XCR0_SSE, reads_sse, has_xsave),
    GOOD("XSETBV x87, SSE, AVX", XCR0_X87 | XCR0_SSE | XCR0_AVX, reads_avx, has_avx),
    BAD("XSETBV without x87", .rax = XCR0_SSE),
    BAD("XSETBV of nothing", .rax = 0),
    BAD("XSETBV AVX without SSE", .rax = XCR0_X87 | XCR0_AVX),
    BAD("XSETBV of half of MPX", .rax = XCR0_X87 | XCR0_SSE | XCR0_BNDREGS),
    BAD("XSETBV of AVX-512 without AVX", .rax = XCR0_X87 | XCR0_SSE | XCR0_AVX512),
    BAD("XSETBV of a reserved bit", .rax = XCR0_X87, .rdx = 1u << 31),
    BAD("XSETBV of XCR1", .rax = XCR0_X87, .rcx = 1),
    {"XSETBV", CODE(xsetbv), .modes = IN_USER, .rax = XCR0_X87, .fault = FAULT(GP),
     .count_unstated = true, .available = has_xsave, .check = unchanged},
    {"XSETBV with CR4.OSXSAVE clear", CODE(xsetbv), .modes = IN_SUPERVISOR, .rax = XCR0_X87,
     .fault = FAULT(UD), .available = has_xsave, .prepare = osxsave_off, .restore = osxsave_on},
    {"XGETBV with CR4.OSXSAVE clear", CODE(xgetbv), .modes = IN_ALL | IN_LEGACY, .fault = FAULT(UD),
     .available = has_xsave, .prepare = osxsave_off, .restore = osxsave_on},
};

static bool save_area_follows(u64 xcr0)
{
    xsetbv(xcr0);
    u32 with_xcr0 = cpuid(0xD, 0).ebx;
    xsetbv(XCR0_X87);
    u32 without = cpuid(0xD, 0).ebx;
    xsetbv(xcr0_before);
    return with_xcr0 > without;
}

void test_xsetbv(void)
{
    if (has_xsave()) {
        cr4_before = read_cr4();
        osxsave_on();
        xcr0_before = xgetbv();
    }
    RUN_TESTS(instructions);
    if (has_avx())
        ok(save_area_follows(XCR0_X87 | XCR0_SSE | XCR0_AVX), "CPUID leaf D follows XCR0");
    else
        skip("this CPU has not got AVX", "CPUID leaf D follows XCR0");
    if (has_xsave())
        write_cr4(cr4_before);
}
