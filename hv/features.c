#include "features.h"
#include "lib/string.h"
#include "x86/msr.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* clang-format off */
/* The registers of CPUID that are made of features' bits: a bit that no feature claims reads as 0. */
enum cpuid_word {
    CPUID_1_ECX, CPUID_1_EDX, CPUID_6_EAX, CPUID_6_ECX, CPUID_6_EDX, CPUID_7_EBX, CPUID_7_ECX, CPUID_7_EDX,
    CPUID_7_1_EAX, CPUID_7_1_EBX, CPUID_7_1_ECX, CPUID_7_1_EDX,
    CPUID_7_2_EAX, CPUID_7_2_EBX, CPUID_7_2_ECX, CPUID_7_2_EDX,
    CPUID_D_EAX, CPUID_D_EDX, CPUID_D_1_EAX, CPUID_D_1_ECX, CPUID_D_1_EDX, CPUID_23_EAX,
    CPUID_80000001_ECX, CPUID_80000001_EDX, CPUID_80000007_EDX, CPUID_80000008_EBX, CPUID_WORDS
};

#define ANY_SUBLEAF 0xFF
#define WORD(leaf, subleaf, reg) {leaf, subleaf, offsetof(struct cpuid_result, reg)}
#define FOUR_WORDS(leaf, subleaf) \
    WORD(leaf, subleaf, eax), WORD(leaf, subleaf, ebx), WORD(leaf, subleaf, ecx), WORD(leaf, subleaf, edx)

static const struct { u32 leaf; u8 subleaf, reg; } words[CPUID_WORDS] = {
    [CPUID_1_ECX] = WORD(1, ANY_SUBLEAF, ecx), WORD(1, ANY_SUBLEAF, edx),
    [CPUID_6_EAX] = WORD(6, ANY_SUBLEAF, eax), WORD(6, ANY_SUBLEAF, ecx), WORD(6, ANY_SUBLEAF, edx),
    [CPUID_7_EBX] = WORD(7, 0, ebx), WORD(7, 0, ecx), WORD(7, 0, edx),
    [CPUID_7_1_EAX] = FOUR_WORDS(7, 1),
    [CPUID_7_2_EAX] = FOUR_WORDS(7, 2),
    [CPUID_D_EAX] = WORD(0xD, 0, eax), WORD(0xD, 0, edx),
    [CPUID_D_1_EAX] = WORD(0xD, 1, eax), WORD(0xD, 1, ecx), WORD(0xD, 1, edx),
    [CPUID_23_EAX] = WORD(0x23, 0, eax),
    [CPUID_80000001_ECX] = WORD(0x80000001, ANY_SUBLEAF, ecx), WORD(0x80000001, ANY_SUBLEAF, edx),
    [CPUID_80000007_EDX] = WORD(0x80000007, ANY_SUBLEAF, edx),
    [CPUID_80000008_EBX] = WORD(0x80000008, ANY_SUBLEAF, ebx),
};

/* Basic leaves that hold numbers, or words of those above; all others are zero, as on a CPU without. */
#define KNOWN_LEAVES \
    (BITS(4, 0) | BIT(6) | BIT(7) | BITS(0xB, 9) | BIT(0xD) | BIT(0xF) | BIT(0x10) | BITS(0x18, 0x15) | \
     BIT(0x1A) | BITS(0x20, 0x1D) | BIT(0x23) | BIT(0x24))
#define LEAF_7_SUBLEAVES 3
#define LEAF_XSAVE 0xD

/* What one feature has in one place: bits of a register of CPUID, or of another register, or MSRs. */
struct face {
    u8 place;       /* enum cpuid_word or one of these: */
    u8 with;        /* the control without which it is not there: PROC2's bit, or 32 + PROC3's; 0: none */
    struct msr_kind kind; /* of its MSRs */
    union {
        u32 bits;
        struct { u16 first, last; } msrs; /* by SHORT() */
    };
};
_Static_assert(sizeof(struct face) == 8, "there are many");

/* 16 bits tell all that can be there. */
#define SHORT(msr) ((u16)((msr) | (msr) >> 16))

#define IN_REGISTER(name) (CPUID_WORDS + FEATURES_##name)
#define IN_MSRS (CPUID_WORDS + FEATURE_REGISTERS)

#define CPUID_WITH(control, in, set) {.place = CPUID_##in, .with = (control), .bits = (u32)(set)}
#define CPUID(in, set) CPUID_WITH(0, in, set)
#define CR4(set) {.place = IN_REGISTER(CR4), .bits = (u32)(set)}
#define XCR0(set) {.place = IN_REGISTER(XCR0), .bits = (u32)(set)}, CPUID(D_EAX, set)
#define XSS(set) {.place = IN_REGISTER(XSS), .bits = (u32)(set)}, CPUID_WITH(WITH_XSAVES, D_1_ECX, set)
#define MSRS(from, to, rd, wr) \
    {.place = IN_MSRS, .kind = {READ_##rd, WRITE_##wr}, .msrs = {SHORT(from), SHORT(to)}}
#define MSR(number, rd, wr) MSRS(number, number, rd, wr)
#define OPEN(from, to) MSRS(from, to, HARDWARE, HARDWARE)
#define HIDDEN(from, to) MSRS(from, to, FAULT, FAULT)

#define WITH(control) ((u8)__builtin_ctzll(control))
#define WITH_XSAVES WITH(PROC2_ENABLE_XSAVES)

static const struct face faces[] = {
    /* ---- What the guest gets ---- */
    /* instructions that touch only registers and memory that the guest names */
    CPUID(1_ECX, BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30)),
    CPUID(1_EDX, BIT(0) | BIT(8) | BIT(15) | BIT(19) | BIT(23)),
    CPUID(7_EBX, BIT(3) | BIT(6) | BIT(8) | BIT(9) | BIT(13) | BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29)),
    CPUID(7_ECX, BIT(0) | BIT(8) | BIT(25) | BIT(27) | BIT(28)),
    CPUID(7_EDX, BIT(4) | BIT(14)),
    CPUID(7_1_EAX, BIT(3) | BIT(7) | BITS(12, 10) | BIT(18) | BIT(19) | BIT(30) | BIT(31)),
    CPUID(7_1_EBX, BIT(3)), CPUID(7_1_ECX, BIT(5)), CPUID(7_1_EDX, BIT(14)),
    CPUID(80000001_ECX, BIT(0) | BIT(5) | BIT(8)), CPUID(80000008_EBX, BIT(9)),
    CPUID_WITH(WITH(PROC2_ENABLE_RDTSCP), 80000001_EDX, BIT(27)), /* RDTSCP, and RDPID: */
    CPUID_WITH(WITH(PROC2_ENABLE_RDTSCP), 7_ECX, BIT(22)), OPEN(IA32_TSC_AUX, IA32_TSC_AUX),
    CPUID_WITH(WITH(PROC2_ENABLE_USER_WAIT), 7_ECX, BIT(5)), OPEN(0xE1, 0xE1), /* UMONITOR, UMWAIT, TPAUSE */
    CPUID_WITH((u8)(32 + WITH(PROC3_ENABLE_MSRLIST)), 7_1_EAX, BIT(27)),       /* RDMSRLIST, WRMSRLIST */
    CPUID(7_1_EDX, BIT(15)), OPEN(IA32_USER_MSR_CTL, IA32_USER_MSR_CTL),       /* URDMSR, UWRMSR */
    CPUID(7_1_EAX, BIT(22)), OPEN(0x17DA, 0x17DA),                             /* HRESET */
    /* segments, debugging, paging */
    CPUID(1_EDX, BIT(1) | BIT(2) | BIT(3) | BIT(6) | BIT(13) | BIT(16) | BIT(17)),
    CPUID(80000001_EDX, BIT(20) | BIT(26) | BIT(29)), CPUID(1_ECX, BIT(17)),
    CR4(CR4_VME | CR4_PVI | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE), MSR(IA32_EFER, VMCS, EFER),
    CPUID_WITH(WITH(PROC2_ENABLE_INVPCID), 7_EBX, BIT(10)),
    CPUID(7_EBX, BIT(0)), CR4(CR4_FSGSBASE), MSRS(IA32_FS_BASE, IA32_GS_BASE, VMCS, CANONICAL),
    OPEN(IA32_KERNEL_GS_BASE, IA32_KERNEL_GS_BASE),
    CPUID(7_EBX, BIT(7)), CR4(CR4_SMEP), CPUID(7_EBX, BIT(20)), CR4(CR4_SMAP), CPUID(7_ECX, BIT(2)), CR4(CR4_UMIP),
    CPUID(7_ECX, BIT(16)), CR4(CR4_LA57), MSR(IA32_PAT, VMCS, PAT), MSR(IA32_DEBUGCTL, DEBUGCTL, DEBUGCTL),
    /* calls of the system */
    CPUID(1_EDX, BIT(11)), MSR(IA32_SYSENTER_CS, VMCS, VMCS_32),
    MSRS(IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, VMCS, CANONICAL),
    CPUID(80000001_EDX, BIT(11)), OPEN(IA32_STAR, IA32_FMASK),
    /* what XSAVE saves: x87, SSE, AVX, bounds, AVX-512, protection keys, tiles, shadow stacks, duty cycles */
    CPUID(1_EDX, BITS(26, 24)), CR4(CR4_OSFXSR | CR4_OSXMMEXCPT), XCR0(XCR0_X87 | XCR0_SSE),
    CPUID(1_ECX, BIT(26) | BIT(27)), CPUID(D_1_EAX, BITS(2, 0)), CR4(CR4_OSXSAVE),
    CPUID_WITH(WITH_XSAVES, D_1_EAX, BIT(3)), MSR(IA32_XSS, HARDWARE, XSS),
    CPUID(1_ECX, BIT(12) | BIT(28) | BIT(29)), CPUID(7_EBX, BIT(5)), CPUID(7_ECX, BITS(10, 9)), XCR0(XCR0_AVX),
    CPUID(7_1_EAX, BITS(2, 0) | BIT(4) | BIT(23)), CPUID(7_1_EDX, BIT(4) | BIT(5) | BIT(10)),
    CPUID(7_EBX, BIT(14)), CPUID(7_ECX, BITS(21, 17)), XCR0(BITS(4, 3)), OPEN(0xD90, 0xD90),
    CPUID(7_EBX, BIT(16) | BIT(17) | BIT(21) | BITS(28, 26) | BITS(31, 30)), XCR0(XCR0_AVX512),
    CPUID(7_ECX, BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14)), CPUID(7_EDX, BIT(2) | BIT(3) | BIT(8) | BIT(23)),
    CPUID(7_1_EAX, BIT(5)), CPUID(7_1_EDX, BIT(19)),
    CPUID(7_ECX, BITS(4, 3)), CR4(CR4_PKE), XCR0(BIT(9)),
    CPUID(7_EDX, BIT(22) | BITS(25, 24)), CPUID(7_1_EAX, BIT(21)), CPUID(7_1_EDX, BIT(8)), XCR0(BITS(18, 17)),
    CPUID(D_1_EAX, BIT(4)), OPEN(0x1C4, 0x1C5),
    CPUID(7_ECX, BIT(7)), CPUID(7_EDX, BIT(20)), CPUID(7_1_EDX, BIT(18)), CR4(CR4_CET), XSS(BITS(12, 11)),
    OPEN(IA32_U_CET, IA32_INTERRUPT_SSP_TABLE),
    CPUID(6_EAX, BIT(13)), XSS(BIT(13)), OPEN(0xDB0, 0xDB2),
    /* time and interrupts */
    CPUID(1_EDX, BIT(4)), CR4(CR4_TSD), MSR(IA32_TSC, HARDWARE, TSC), CPUID(80000007_EDX, BIT(8)),
    CPUID(7_EBX, BIT(1)), MSR(IA32_TSC_ADJUST, HARDWARE, TSC),
    CPUID(1_EDX, BIT(9)), MSR(IA32_APIC_BASE, HARDWARE, APIC_BASE), OPEN(0xBD, 0xBD),
    CPUID(1_ECX, BIT(14) | BIT(21)), OPEN(X2APIC_FIRST, X2APIC_LAST),
    CPUID(1_ECX, BIT(24)), OPEN(IA32_TSC_DEADLINE, IA32_TSC_DEADLINE),
    /* memory types */
    CPUID(1_EDX, BIT(12)), OPEN(IA32_MTRRCAP, IA32_MTRRCAP), MSR(IA32_MTRR_DEF_TYPE, MTRR, MTRR),
    MSRS(IA32_MTRR_PHYSBASE0, IA32_MTRR_LAST_PHYSMASK, MTRR, MTRR),
    MSR(IA32_MTRR_FIX64K_00000, MTRR, MTRR), MSRS(IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, MTRR, MTRR),
    MSRS(IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, MTRR, MTRR),
    /* machine checks: with CMCI and local ones */
    CPUID(1_EDX, BIT(7) | BIT(14)), CR4(CR4_MCE), OPEN(0x0, 0x1), OPEN(0x179, 0x17B), OPEN(0x17F, 0x17F),
    OPEN(0x280, 0x29F), OPEN(0x400, 0x47F), OPEN(0x4D0, 0x4D0),
    /* performance counters, of the uncore, too, and last branches of single models */
    CPUID(1_ECX, BIT(15)), CPUID(7_1_EAX, BIT(8)), CPUID(23_EAX, BITS(3, 0)), CR4(CR4_PCE),
    OPEN(0xC1, 0xC8), OPEN(0x186, 0x18F), OPEN(0x1A6, 0x1A7), OPEN(0x309, 0x318), OPEN(0x329, 0x329), OPEN(0x345, 0x345),
    OPEN(0x38D, 0x396), OPEN(0x3B0, 0x3CF), OPEN(0x3F2, 0x3F2), OPEN(0x3F6, 0x3F7), OPEN(0x4C1, 0x4CA),
    OPEN(0x700, 0x76F), OPEN(0xA40, 0xB7F), OPEN(0xC00, 0xC7F), OPEN(0xE00, 0xFFF), OPEN(0x1900, 0x19FF),
    OPEN(0x1C00, 0x1FFF), OPEN(0x2000, 0x2FFF),
    OPEN(0x40, 0x47), OPEN(0x60, 0x67), OPEN(0x1C8, 0x1C9), OPEN(0x1DB, 0x1DE), OPEN(0x680, 0x69F), OPEN(0x6C0, 0x6DF),
    OPEN(0xDC0, 0xDDF),
    /* shares of caches and of memory's bandwidth */
    CPUID(7_EBX, BIT(12) | BIT(15)), CPUID(7_1_ECX, BIT(2)), OPEN(0xC81, 0xC82), OPEN(0xC8D, 0xD8F),
    CPUID(1_ECX, BIT(18)), OPEN(0x1F8, 0x1FA), /* direct cache access */
    /* power, heat and speed: HWP, RAPL, C-states, turbo */
    CPUID(1_ECX, BIT(7) | BIT(8)), CPUID(1_EDX, BIT(22) | BIT(29)), CPUID(6_ECX, BIT(0) | BIT(3)),
    CPUID(6_EAX, BITS(2, 0) | BITS(11, 4) | BITS(18, 14) | BIT(20) | BIT(22) | BIT(24)), XSS(BIT(16)),
    OPEN(0x2A, 0x2A), OPEN(0x2C, 0x2C), OPEN(0x34, 0x35), OPEN(0xBC, 0xBC), OPEN(0xCD, 0xCE), OPEN(0xE2, 0xE2),
    OPEN(0xE7, 0xE8), OPEN(0x198, 0x19D), OPEN(0x1A2, 0x1A2), OPEN(0x1A4, 0x1A4), OPEN(0x1AA, 0x1AA),
    OPEN(0x1AD, 0x1B2), OPEN(0x1FC, 0x1FC), OPEN(0x3F8, 0x3FF), OPEN(0x601, 0x66D), OPEN(0x6B0, 0x6B1), OPEN(0x770, 0x77F),
    /* speculation */
    CPUID(7_EDX, BIT(9) | BIT(10) | BITS(29, 26) | BIT(31)), CPUID(7_2_EDX, BITS(5, 0) | BIT(7)),
    OPEN(IA32_SPEC_CTRL, IA32_SPEC_CTRL + 1), OPEN(0x10A, 0x10B), MSR(0x123, HARDWARE, FEATURES),
    CPUID(7_EBX, BIT(4) | BIT(11)), CPUID(7_EDX, BIT(11) | BIT(13) | BIT(16)), /* transactions */
    MSR(TSX_FORCE_ABORT, HARDWARE, FEATURES), MSR(IA32_TSX_CTRL, HARDWARE, FEATURES),
    /* this CPU: model, microcode, switches */
    CPUID(1_ECX, BIT(10)), CPUID(1_EDX, BIT(5) | BIT(18) | BIT(27) | BIT(28) | BIT(31)), CPUID(7_EDX, BIT(15) | BIT(30)),
    CPUID(7_1_EBX, BIT(0)), OPEN(0x17, 0x17), OPEN(0x4E, 0x4F), MSR(IA32_BIOS_UPDT_TRIG, FAULT, IGNORED),
    MSR(IA32_BIOS_SIGN_ID, HARDWARE, FEATURES), MSR(0x119, HARDWARE, FEATURES), OPEN(0x140, 0x140),
    MSR(IA32_MISC_ENABLE, MISC_ENABLE, MISC_ENABLE),
    CPUID(7_ECX, BIT(24)), MSR(MSR_TEST_CTRL, HARDWARE, TEST_CTRL), /* bus locks, split locks */
    MSR(0xCF, CORE_CAPABILITIES, FAULT),

    /* ---- What it does not get: no bit of it is above ---- */
    MSR(IA32_FEATURE_CONTROL, FEATURE_CONTROL, FAULT), HIDDEN(IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2),
    HIDDEN(IA32_SMM_MONITOR_CTL, IA32_SMM_MONITOR_CTL), HIDDEN(IA32_SMBASE, IA32_SMBASE),
    HIDDEN(IA32_SGXLEPUBKEYHASH0, IA32_SGXLEPUBKEYHASH3), /* SGX: enclaves may not be interrupted here */
    HIDDEN(0xED, 0xF0),                                   /* remote action requests: by tables in memory */
    HIDDEN(0x2B8, 0x2C7),                                 /* in-field scan: by linear address, Tally's, too */
    HIDDEN(IA32_PEBS_ENABLE, IA32_PEBS_ENABLE), HIDDEN(IA32_PEBS_BASE, IA32_PEBS_INDEX), /* so the debug store */
    HIDDEN(IA32_DS_AREA, IA32_DS_AREA),
    HIDDEN(IA32_RTIT_OUTPUT_BASE, IA32_RTIT_LAST),        /* processor trace: would trace Tally, too */
    HIDDEN(IA32_LBR_CTL, IA32_LBR_DEPTH), HIDDEN(0x1200, 0x121F), HIDDEN(0x1500, 0x151F), HIDDEN(0x1600, 0x161F),
    HIDDEN(IA32_HW_FEEDBACK_PTR, HW_FEEDBACK_LAST),       /* hardware feedback: a table in memory */
    HIDDEN(IA32_TME_CAPABILITY, IA32_TME_EXCLUDE_BASE),   /* memory encryption: keys are address bits */
    HIDDEN(0x985, 0x98A),                                 /* user interrupts, and ... */
    HIDDEN(0x1CC, 0x1D4),                                 /* ... FRED, ... */
    HIDDEN(0x990, 0x991), HIDDEN(0xD91, 0xD92),           /* ... key locker, ... */
    HIDDEN(IA32_PKRS, IA32_PKRS), HIDDEN(0xD93, 0xD93),   /* ... supervisor keys, ENQCMD: not switched at exits */
    MSR(IA32_DEBUG_INTERFACE, HARDWARE, FAULT),           /* silicon debug sees Tally's memory */
    MSRS(IA32_SMRR_PHYSBASE, SMRR2_PHYSMASK, HARDWARE, FAULT), MSRS(SEAMRR_PHYS_BASE, SEAMRR_PHYS_MASK, HARDWARE, FAULT),
    MSRS(0x2A0, 0x2A7, HARDWARE, DANGEROUS), MSRS(0x2F4, 0x2F5, HARDWARE, DANGEROUS), /* PRMRR: takes memory */
    MSR(0x80, HARDWARE, DANGEROUS), MSR(0x2E0, HARDWARE, DANGEROUS), MSR(0x9FF, HARDWARE, DANGEROUS),
    HIDDEN(0x11, 0x12), /* KVM's old clocks; see is_of_hypervisor() */
};
/* clang-format on */

struct msr_kind msr_kinds[2 * MSR_RANGE];
static u32 shown[CPUID_WORDS + FEATURE_REGISTERS];

static void fill_kinds(const struct face *f)
{
    for (u32 msr = f->msrs.first; msr <= f->msrs.last; msr++)
        if (msr < MSR_RANGE)
            msr_kinds[msr] = f->kind;
        else if (msr >= SHORT(MSR_HIGH))
            msr_kinds[msr - SHORT(MSR_HIGH) + MSR_RANGE] = f->kind;
}

void features_init(void)
{
    memset(shown, 0, sizeof(shown));
    for (const struct face *f = faces; f < faces + ARRAY_SIZE(faces); f++)
        if (f->place == IN_MSRS)
            fill_kinds(f);
        else
            shown[f->place] |= f->bits;
}

void features_need(u32 proc2, u64 proc3)
{
    u64 controls = proc2 | proc3 << 32;
    for (const struct face *f = faces; f < faces + ARRAY_SIZE(faces); f++)
        if (f->with && !(controls >> f->with & 1))
            shown[f->place] &= ~f->bits;
}

u64 features_bits(enum feature_register reg)
{
    return shown[CPUID_WORDS + reg];
}

/* Of leaf 7 there are subleaves with words above, of leaf D one for each component of state. */
static bool is_known(u32 leaf, u32 subleaf)
{
    if (leaf == LEAF_XSAVE && subleaf > 1)
        return subleaf < 32 &&
               (features_bits(FEATURES_XCR0) | features_bits(FEATURES_XSS)) >> subleaf & 1;
    if (leaf == 7 && subleaf >= LEAF_7_SUBLEAVES)
        return false;
    return leaf >> 31 || (leaf < 64 && (KNOWN_LEAVES >> leaf & 1));
}

void features_hide(struct cpuid_result *r, u32 leaf, u32 subleaf)
{
    if (!is_known(leaf, subleaf))
        *r = (struct cpuid_result){0};
    for (unsigned i = 0; i < CPUID_WORDS; i++)
        if (words[i].leaf == leaf &&
            (words[i].subleaf == ANY_SUBLEAF || words[i].subleaf == subleaf))
            *(u32 *)((char *)r + words[i].reg) &= shown[i];
}

/* Of Hyper-V, Xen, KVM underneath; some of them name memory that these would write to. */
static bool is_of_hypervisor(u32 msr)
{
    return msr >> 28 == 4;
}

struct msr_kind high_msr_kind(u32 msr)
{
    if (msr - MSR_HIGH < MSR_RANGE)
        return msr_kinds[msr - MSR_HIGH + MSR_RANGE];
    if (is_of_hypervisor(msr))
        return (struct msr_kind){READ_FAULT, WRITE_FAULT};
    for (const struct face *f = faces; f < faces + ARRAY_SIZE(faces); f++)
        if (f->place == IN_MSRS && msr < SHORT(MSR_HIGH) && msr >= f->msrs.first &&
            msr <= f->msrs.last)
            return f->kind;
    return (struct msr_kind){READ_HARDWARE, WRITE_UNKNOWN};
}
