/* The memory that a snippet may change: before each it is the same, and after it a part of the
 * digest. */
#include "fuzz/fuzz.h"
#include "kernel/descriptors.h"
#include "kernel/memory.h"
#include "kernel/memory_map.h"
#include "kernel/statistics.h"
#include "kernel/xcr0.h"

#define FXSAVE_CONTROL 0x037F
#define FXSAVE_MXCSR 0x1F80
#define XSTATE_ALL 0xFFFFFFFF
#define PAGE_OPEN 7
#define STACK_USED 512
#define VM_FLAGS 0x0002000200020002ull /* of EFLAGS at an even address */
#define TSS_IS_32_BIT (8ull << 40)     /* of a descriptor's type */
#define TSS_IS_PRESENT (0x80ull << 40)
#define PAGE_4M 0x400000u

/* Where 16-bit code comes to with an address in the window, cut to 16 bits. */
#define CUT_MEMORY 0x10000u
#define CUT_SIZE 0x8000u

extern u64 page_directories[4 * 512]; /* boot.asm */

static struct {
    u32 control, reserved[5], mxcsr, rest[121];
    u64 xsave[512 / 8]; /* the header, and no state behind it: all as after a reset */
} initial_state __attribute__((aligned(64))) = {.control = FXSAVE_CONTROL, .mxcsr = FXSAVE_MXCSR};
static struct tss32 tss_before;
static u64 state_after[512 / 8] __attribute__((aligned(64)));
static u64 low[LOW_SIZE / 8], cut[CUT_SIZE / 8], gdt_before[GDT_SIZE / 8], ones[PAGE_SIZE / 8];
static u64 junk[PAGE_SIZE / 8] __attribute__((aligned(4096))); /* bare, in Tally's memory's place */
static u32 junk_tables_32[2][1024] __attribute__((aligned(4096)));
static u64 junk_table[512] __attribute__((aligned(4096)));

static void copy(void *to, const void *from, u64 size)
{
    u64 n = size / 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* Half the lines of a cache are zero: so XRSTOR finds headers that are good. */
static void fill(u64 *memory, u64 size)
{
    for (u64 i = 0; i < size / 8; i += 8) {
        bool zero = fuzz_one_in(2);

        for (u64 k = i; k < i + 8; k++)
            memory[k] = zero ? 0 : fuzz_random();
    }
}

/* In place of Tally's memory a guest reads ones until it writes, into one page that stands for all.
 */
static void map_junk(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(junk_table); i++)
        junk_table[i] = (u64)junk | PAGE_OPEN;
    for (u64 at = fuzz_options.hidden; at < fuzz_options.hidden_end; at += PAGE_2M)
        page_directories[at / PAGE_2M] = (u64)junk_table | PAGE_OPEN;
    write_cr3(read_cr3());
}

/* The same by 32-bit paging, whose pages have 4 MiB. */
static void map_junk_32(void)
{
    u64 first = fuzz_options.hidden / PAGE_4M;

    for (u64 i = 0; i < ARRAY_SIZE(junk_tables_32); i++) {
        for (u64 k = 0; k < 1024; k++) {
            u64 page = (first + i) * PAGE_4M + k * PAGE_SIZE;
            bool hidden = page >= fuzz_options.hidden && page < fuzz_options.hidden_end;

            junk_tables_32[i][k] = (u32)(hidden ? (u64)junk : page) | PAGE_OPEN;
        }
        page_directory_32[first + i] = (u32)(u64)junk_tables_32[i] | PAGE_OPEN;
    }
}

/* IRET without a frame may find any CS, but no VM: virtual-8086 mode takes all of them, and would
 * run what firmware and loader have left in memory, otherwise each time. */
static void no_vm_flag_on_stack(void)
{
    for (u32 i = ARRAY_SIZE(low) - STACK_USED / 8; i < ARRAY_SIZE(low); i++)
        low[i] &= ~VM_FLAGS;
}

static void find_hidden_memory(void)
{
    const struct memory_range *hidden = under_tally() ? memory_map_hidden() : NULL;

    if (hidden) {
        fuzz_options.hidden = hidden->base;
        fuzz_options.hidden_end = hidden->end;
    } else {
        map_junk();
        if (fuzz_options.hidden)
            map_junk_32();
    }
}

/* From now on all pages that snippets reach show the same junk, whatever was written before. */
static void show_junk(void)
{
    u64 middle = (fuzz_options.hidden + fuzz_options.hidden_end) / 2;

    copy((void *)fuzz_options.hidden, ones, sizeof(ones));
    for (u64 page = fuzz_options.hidden; page < middle; page += PAGE_SIZE)
        copy((void *)page, ones, sizeof(ones[0]));
}

void fuzz_memory_init(void)
{
    find_hidden_memory();
    fill(low, sizeof(low));
    no_vm_flag_on_stack();
    for (u32 i = 0; i < ARRAY_SIZE(ones); i++)
        ones[i] = ~0ull;
    copy(gdt_before, gdt, sizeof(gdt));
    tss_before = tss32;
    copy((void *)(u64)CUT_MEMORY, cut, sizeof(cut));
    for (u32 page = 0; page < WINDOW_PAGES; page++)
        copy(window_frame(page), low, PAGE_SIZE);
    if (fuzz_options.compare)
        show_junk();
}

/* Of those that snippets write to, the DMA controller's page registers and the UART's scratch
 * register read back what was written. */
static void reset_ports(void)
{
    static const u16 ports[] = {0x80, 0x84, 0x85, 0x8C, 0x3FF};

    for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
        outb(ports[i], 0);
}

static void reset_extended_state(void)
{
    struct cpuid_result states = cpuid(0xD, 0);

    xsetbv((u64)states.edx << 32 | states.eax);
    __asm__ volatile("xrstor %0" : : "m"(initial_state), "a"(XSTATE_ALL), "d"(XSTATE_ALL));
    xsetbv(fuzz_controls.xcr0);
}

void fuzz_memory_reset(u64 touched)
{
    copy((void *)(u64)LOW_MEMORY, low, sizeof(low));
    if (touched & TOUCHED_PORTS)
        reset_ports();
    if (touched & TOUCHED_XCR0 && fuzz_controls.xcr0)
        reset_extended_state();
    __asm__ volatile("fxrstor %0" : : "m"(initial_state));
    write_cr2(0);
    write_dr6(DR6_FIXED);
}

static void fold_window(void)
{
    for (u32 page = 0; page < WINDOW_PAGES; page++)
        if (window_written(page)) {
            fuzz_fold_memory("window", window_frame(page), low, PAGE_SIZE);
            copy(window_frame(page), low, PAGE_SIZE);
        }
}

void fuzz_memory_prepare(const struct snippet *snippet)
{
    for (u32 i = 0; i < ARRAY_SIZE(snippet->call_gate); i++)
        gdt[SELECTOR_CALL_GATE / 8 + i] = snippet->call_gate[i];
    if (!snippet->legacy)
        return;
    tss32 = tss_before;
    other_tss32 = snippet->task;
    if (snippet->has_task16)
        gdt[SELECTOR_OTHER_TSS32 / 8] ^= TSS_IS_32_BIT;
    if (!snippet->has_task) /* else any INT 41H leads to a task that is none */
        gdt[SELECTOR_OTHER_TSS32 / 8] ^= TSS_IS_PRESENT;
}

/* Folds, and puts back what does not often change. */
void fuzz_memory_fold(const struct snippet *snippet)
{
    fuzz_fold_memory("low", (void *)(u64)LOW_MEMORY, low, sizeof(low));
    fuzz_fold_memory("gdt", gdt, gdt_before, sizeof(gdt));
    copy(gdt, gdt_before, sizeof(gdt));
    fold_window();
    if (snippet->legacy) {
        fuzz_fold_memory("task", &tss32, &tss_before, sizeof(tss32));
        fuzz_fold_memory("other task", &other_tss32, &snippet->task, sizeof(other_tss32));
    }
    if (snippet->touched & TOUCHED_CUT) {
        fuzz_fold_memory("cut", (void *)(u64)CUT_MEMORY, cut, sizeof(cut));
        copy((void *)(u64)CUT_MEMORY, cut, sizeof(cut));
    }
    if (snippet->touched & TOUCHED_HIDDEN && fuzz_options.hidden) {
        fuzz_fold_memory("hidden", (void *)fuzz_options.hidden, ones, PAGE_SIZE);
        copy((void *)fuzz_options.hidden, ones, PAGE_SIZE);
    }
    __asm__ volatile("fxsave %0" : "=m"(state_after));
    fuzz_fold_memory("fxsave", state_after, &initial_state, sizeof(state_after));
}
