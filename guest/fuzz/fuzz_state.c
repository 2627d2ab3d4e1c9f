#include "fuzz/fuzz_code.h"
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "harness/legacy.h"
#include "kernel/memory.h"
#include "kernel/statistics.h"
#include "kernel/xcr0.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define CPUID_1_ECX_X2APIC BIT(21)
#define CPUID_1_ECX_XSAVE BIT(26)
#define PAGE_PRESENT BIT(0)
#define PAGE_WRITABLE BIT(1)
#define PAGE_USER BIT(2)
#define ADDRESS_BITS_OF_APIC_BASE 0xFFFFFF000ull /* Tally keeps them */

extern u64 page_directories[4 * 512];

CODE64(fuzz_rdmsr_wrmsr, "rdmsr\n wrmsr");

struct fuzz_controls fuzz_controls;

#define ANY(msr)                                                                                   \
    {                                                                                              \
        .number = msr, .values = ANY_VALUE                                                         \
    }
#define BESIDE(msr)                                                                                \
    {                                                                                              \
        .number = msr, .values = NEAR                                                              \
    }
#define IPI(msr)                                                                                   \
    {                                                                                              \
        .number = msr, .values = SELF_IPI                                                          \
    }
#define FLIP(msr, bits)                                                                            \
    {                                                                                              \
        .number = msr, .values = FLIP_BITS, .flips = bits                                          \
    }

/* clang-format off */
struct fuzz_msr fuzz_msrs[] = {
    BESIDE(IA32_TSC), BESIDE(IA32_TSC_ADJUST), ANY(IA32_TSC_AUX),
    ANY(IA32_FS_BASE), ANY(IA32_GS_BASE), ANY(IA32_KERNEL_GS_BASE),
    ANY(IA32_STAR), ANY(IA32_LSTAR), ANY(IA32_CSTAR), ANY(IA32_FMASK),
    ANY(IA32_SYSENTER_CS), ANY(IA32_SYSENTER_ESP), ANY(IA32_SYSENTER_EIP),
    FLIP(IA32_EFER, EFER_SCE | EFER_NXE | EFER_LMA), FLIP(IA32_EFER, ~0xFFFull | 0xFE),
    ANY(IA32_PAT), FLIP(IA32_PAT, 0x0101010101010101), FLIP(IA32_DEBUGCTL, ~0ull),
    FLIP(IA32_DEBUGCTL, DEBUGCTL_LBR | DEBUGCTL_BTF),
    FLIP(IA32_APIC_BASE, ADDRESS_BITS_OF_APIC_BASE),
    ANY(IA32_FEATURE_CONTROL), ANY(IA32_BIOS_SIGN_ID), ANY(IA32_SMBASE),
    ANY(IA32_SPEC_CTRL), ANY(IA32_SMM_MONITOR_CTL), ANY(IA32_MTRRCAP),
    ANY(IA32_MTRR_PHYSBASE0), ANY(IA32_MTRR_PHYSMASK0),
    FLIP(IA32_MTRR_PHYSBASE0 + 2, 0xFFFFF007), FLIP(IA32_MTRR_PHYSMASK0 + 2, 0xFFFFFF800),
    FLIP(IA32_MTRR_FIX64K_00000, 0x0202020202020202), ANY(IA32_MTRR_FIX4K_C0000),
    FLIP(IA32_MTRR_DEF_TYPE, 0xC06), ANY(IA32_MTRR_DEF_TYPE),
    ANY(IA32_PERF_GLOBAL_CTRL), ANY(IA32_VMX_BASIC), ANY(IA32_VMX_MISC),
    ANY(IA32_RTIT_CTL), ANY(IA32_DS_AREA), ANY(IA32_TSC_DEADLINE),
    ANY(X2APIC_ID), IPI(X2APIC_ICR), IPI(X2APIC_SELF_IPI), ANY(X2APIC_EOI), FLIP(IA32_XSS, 0x1FFFF),
    ANY(IA32_DEBUG_INTERFACE), ANY(IA32_PKRS),
    ANY(LEAF_HYPERVISOR), ANY(0x4B564D00), ANY(0x1FFE), ANY(0xC0001FFE),
};
/* clang-format on */
const u32 fuzz_msrs_count = ARRAY_SIZE(fuzz_msrs);
_Static_assert(ARRAY_SIZE(fuzz_msrs) < 59, "a bit of snippet.touched each");

static u64 closed_pml4[512] __attribute__((aligned(4096)));
static u64 closed_pointers[512] __attribute__((aligned(4096)));
static u64 closed_directories[4 * 512] __attribute__((aligned(4096)));
static u64 closed_low_pages[512] __attribute__((aligned(4096)));

static void init_msrs(void)
{
    for (u32 i = 0; i < fuzz_msrs_count; i++) {
        struct fuzz_msr *msr = &fuzz_msrs[i];
        struct run r = {.code = CODE(fuzz_rdmsr_wrmsr), .gpr = {[RCX] = msr->number}};

        run(&r);
        msr->there = ran_to_end(&r);
        msr->value = r.gpr[RDX] << 32 | (u32)r.gpr[RAX];
        if (msr->number == IA32_APIC_BASE && (fuzz_options.compare || !under_tally()))
            msr->flips = 0; /* this CPU would take another address */
        if (fuzz_is_hidden_msr(msr->number))
            msr->there = false;
    }
}

/* The same addresses as always, but ring 3 reaches only those of code under test and its data. */
static void init_closed_memory(void)
{
    u64 open = PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER;

    closed_pml4[0] = (u64)closed_pointers | open;
    for (u32 i = 0; i < 4; i++)
        closed_pointers[i] = (u64)&closed_directories[512 * i] | open;
    for (u32 i = 0; i < ARRAY_SIZE(closed_directories); i++)
        closed_directories[i] = page_directories[i] & ~PAGE_USER;
    closed_directories[0] = (u64)closed_low_pages | open;
    for (u64 i = 0; i < ARRAY_SIZE(closed_low_pages); i++) {
        u64 page = i * PAGE_SIZE;
        bool in_use = page >= LOW_MEMORY && page < LOW_STACK_TOP;

        closed_low_pages[i] = page | (in_use ? open : PAGE_PRESENT | PAGE_WRITABLE);
    }
}

void fuzz_state_init(void)
{
    struct fuzz_controls *c = &fuzz_controls;

    if (fuzz_options.seed % 4 == 3 && cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC)
        apic_use_x2apic();
    apic_init();
    fuzz_task_init();
    fuzz_memory_init();
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
        write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
    write_cr0(read_cr0() | CR0_NE); /* as in VMX always: else x87 errors are interrupts, bare */
    init_msrs();
    init_closed_memory();
    c->cr0 = read_cr0();
    c->cr3 = read_cr3();
    c->cr4 = read_cr4();
    c->closed_cr3 = (u64)closed_pml4;
    c->xcr0 = c->cr4 & CR4_OSXSAVE ? xgetbv() : 0;
    __asm__ volatile("sgdt %0" : "=m"(c->gdtr));
    __asm__ volatile("sidt %0" : "=m"(c->idtr));
}

void fuzz_close_memory(void)
{
    write_cr3(fuzz_controls.closed_cr3);
    for (u32 i = 0; i < ARRAY_SIZE(pae_pointers); i++)
        pae_pointers[i] = (u64)&closed_directories[512 * i] | PAGE_PRESENT;
}

void fuzz_open_memory(void)
{
    write_cr3(fuzz_controls.cr3);
    for (u32 i = 0; i < ARRAY_SIZE(pae_pointers); i++)
        pae_pointers[i] = (u64)&page_directories[512 * i] | PAGE_PRESENT;
}

static void restore_debug_registers(void)
{
    write_dr7(DR7_FIXED); /* under DR7.GD this traps, once: see fuzz.c */
    write_dr0(0);
    write_dr1(0);
    write_dr2(0);
    write_dr3(0);
    write_dr6(DR6_FIXED);
}

/* A 64-bit code segment can be in one of them, and Bochs takes its L bit along into virtual-8086
 * mode, whose segments have none: the next VM entry would fail. */
static void reload_data_segments(void)
{
    __asm__ volatile("mov %0, %%ds\n mov %0, %%es\n mov %0, %%fs\n mov %0, %%gs"
                     :
                     : "r"(SELECTOR_DATA));
}

void fuzz_state_restore(u64 touched)
{
    const struct fuzz_controls *c = &fuzz_controls;

    if (touched & TOUCHED_DEBUG_REGISTERS)
        restore_debug_registers();
    if (touched & TOUCHED_CR8)
        write_cr8(0);
    if (read_cr4() != c->cr4)
        write_cr4(c->cr4);
    if (read_cr0() != c->cr0)
        write_cr0(c->cr0);
    if (touched & TOUCHED_CR3)
        write_cr3(c->cr3);
    if (touched & TOUCHED_XCR0 && c->xcr0)
        xsetbv(c->xcr0);
    if (touched & TOUCHED_TABLES) {
        lgdt(&c->gdtr);
        lidt(&c->idtr);
        __asm__ volatile("lldt %w0" : : "r"(0));
    }
    reload_data_segments();
    for (u32 i = 0; i < fuzz_msrs_count; i++)
        if ((touched & BIT(i)) && fuzz_msrs[i].there && fuzz_msrs[i].values != NEAR &&
            fuzz_msrs[i].values != SELF_IPI && fuzz_msrs[i].number != IA32_APIC_BASE)
            wrmsr(fuzz_msrs[i].number, fuzz_msrs[i].value);
}
