/* What software can see after a snippet, folded into one number or shown item by item. */
#include "fuzz/fuzz.h"
#include "harness/tap.h"
#include "kernel/console.h"
#include "kernel/descriptors.h"
#include "kernel/xcr0.h"
#include "harness/legacy.h"
#include "x86/msr.h"

#define DIGESTS_A_LINE 16
#define MULTIPLIER 0x9E3779B97F4A7C15ull

static u64 digest;
static bool shown, runs;

/* What there is to show while the snippet runs: printed then, it would bring the timer. */
static struct {
    const char *name; /* NULL: a new event */
    u64 value;
} kept[4096];
static u32 kept_count;

static void show_value(const char *name, u64 value)
{
    if (name)
        print("  %s %lx\n", name, value);
    else
        print("  event\n");
}

static void keep_or_show(const char *name, u64 value)
{
    if (!runs)
        show_value(name, value);
    else if (kept_count < ARRAY_SIZE(kept)) {
        kept[kept_count].name = name;
        kept[kept_count++].value = value;
    }
}

static void show_kept(void)
{
    for (u32 i = 0; i < kept_count; i++)
        show_value(kept[i].name, kept[i].value);
    kept_count = 0;
    runs = false;
}

void fuzz_digest_begin(bool show)
{
    digest = 0;
    shown = show;
}

void fuzz_fold(const char *name, u64 value)
{
    if (!fuzz_options.compare)
        return;
    digest = ((digest << 5 | digest >> 59) ^ value) * MULTIPLIER;
    if (shown)
        keep_or_show(name, value);
}

void fuzz_fold_memory(const char *name, const void *memory, const void *before, u64 size)
{
    const u64 *now = memory, *old = before;
    u64 sum = 0, words = size / sizeof(*now), i = 0;

    if (!fuzz_options.compare)
        return;
    for (; i + 8 <= words; i += 8)
        for (u64 k = i; k < i + 8; k++)
            sum = (sum << 1 | sum >> 63) ^ now[k];
    for (; i < words; i++)
        sum = (sum << 1 | sum >> 63) ^ now[i];
    for (i = 0; shown && i < words; i++)
        if (now[i] != old[i])
            print("  %s+%lx %lx, was %lx\n", name, i * sizeof(*now), now[i], old[i]);
    digest = (digest ^ sum) * MULTIPLIER;
}

/* Of general detect, and between iterations, RF is 1 in the image; Bochs knows no #DB with RF. */
static u64 rflags_image(u64 vector, u64 rflags)
{
    return rflags & ~(vector == VECTOR_DB ? RFLAGS_RF : 0);
}

void fuzz_fold_event(const struct trap_frame *frame)
{
    if (!fuzz_options.compare)
        return;
    if (shown)
        keep_or_show(NULL, 0);
    fuzz_fold("vector", frame->vector);
    fuzz_fold("error", frame->error);
    fuzz_fold("rip", frame->rip);
    fuzz_fold("cs", frame->cs);
    fuzz_fold("rflags", rflags_image(frame->vector, frame->rflags));
    fuzz_fold("rsp", frame->rsp);
    fuzz_fold("ss", frame->ss);
    if (frame->vector == VECTOR_PF)
        fuzz_fold("cr2", read_cr2());
    if (frame->vector == VECTOR_DB) /* at others DR7.GD may be set, and another #DB follow */
        fuzz_fold("dr6", read_dr6());
}

static const char *const gpr_names[GPRS] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                            "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* Registers before the snippet; RSP is the harness'. */
void fuzz_show_before(const struct run *run)
{
    if (!shown)
        return;
    print("  before: rflags %lx", run->rflags);
    for (u32 i = 0; i < GPRS; i++)
        if (i != RSP)
            print(" %s %lx", gpr_names[i], run->gpr[i]);
    print("\n");
    runs = true;
}

void fuzz_fold_run(const struct run *run)
{
    show_kept();
    if (shown)
        print("  end\n");
    fuzz_fold("vector", run->vector);
    fuzz_fold("error", run->error);
    fuzz_fold("rip", run->rip);
    fuzz_fold("rflags", rflags_image(run->vector, run->rflags));
    for (u32 i = 0; i < GPRS; i++)
        fuzz_fold(gpr_names[i], run->gpr[i]);
    fuzz_fold("cs", run->cs);
    fuzz_fold("ss", run->ss);
    fuzz_fold("ds", run->ds);
    fuzz_fold("es", run->es);
    fuzz_fold("fs", run->fs);
    fuzz_fold("gs", run->gs);
    fuzz_fold("cr2", run->cr2);
    fuzz_fold("former cr3", run->cr3);
    fuzz_fold("former tr", run->tr);
    fuzz_fold("former idt", run->idt_base);
}

static u64 lar(u16 selector)
{
    u64 rights = 0;

    __asm__("lar %1, %0" : "+r"(rights) : "r"((u64)selector));
    return rights;
}

static u64 lsl(u16 selector)
{
    u64 limit = 0;

    __asm__("lsl %1, %0" : "+r"(limit) : "r"((u64)selector));
    return limit;
}

static void fold_tables(void)
{
    struct descriptor_table_register gdtr, idtr;
    u64 tr, ldtr;

    __asm__ volatile("sgdt %0\n sidt %1\n str %2\n sldt %3"
                     : "=m"(gdtr), "=m"(idtr), "=r"(tr), "=r"(ldtr));
    fuzz_fold("gdt base", gdtr.base);
    fuzz_fold("gdt limit", gdtr.limit);
    fuzz_fold("idt base", idtr.base);
    fuzz_fold("idt limit", idtr.limit);
    fuzz_fold("tr", tr);
    fuzz_fold("ldtr", ldtr);
    fuzz_fold("lar of ldtr", lar((u16)ldtr));
    fuzz_fold("lsl of ldtr", lsl((u16)ldtr));
    fuzz_fold("lar of tr", lar((u16)tr));
}

static void fold_debug_registers(void)
{
    fuzz_fold("dr7", read_dr7());
    fuzz_fold("dr0", read_dr0());
    fuzz_fold("dr1", read_dr1());
    fuzz_fold("dr2", read_dr2());
    fuzz_fold("dr3", read_dr3());
}

static void fold_msrs(u64 touched)
{
    for (u32 i = 0; i < fuzz_msrs_count; i++)
        if ((touched & BIT(i)) && fuzz_msrs[i].there && fuzz_msrs[i].values != NEAR) {
            fuzz_fold("msr", fuzz_msrs[i].number);
            fuzz_fold("value", rdmsr(fuzz_msrs[i].number));
        }
}

void fuzz_fold_registers(u64 touched)
{
    if (!fuzz_options.compare)
        return;
    fuzz_fold("dr6", read_dr6()); /* first: under DR7.GD it traps, in both runs */
    if (touched & TOUCHED_DEBUG_REGISTERS)
        fold_debug_registers();
    fuzz_fold("cr0", read_cr0());
    fuzz_fold("cr3", read_cr3());
    fuzz_fold("cr4", read_cr4());
    fuzz_fold("cr8", read_cr8());
    if (touched & TOUCHED_XCR0 && read_cr4() & CR4_OSXSAVE)
        fuzz_fold("xcr0", xgetbv());
    if (touched & TOUCHED_TABLES)
        fold_tables();
    fuzz_fold("fs base", rdmsr(IA32_FS_BASE));
    fuzz_fold("gs base", rdmsr(IA32_GS_BASE));
    fold_msrs(touched);
}

static struct {
    u32 digest;
    const char *left_out;
} line[DIGESTS_A_LINE];

static void print_line(u64 first, u32 count)
{
    print("# digests %lu:", first);
    for (u32 i = 0; i < count; i++)
        if (line[i].left_out)
            print(" %s", line[i].left_out);
        else
            print(" %08x", line[i].digest);
    print("\n");
}

static void end_of_one(u64 index, bool last, const char *left_out)
{
    u32 at = index % DIGESTS_A_LINE;

    line[at].digest = (u32)(digest ^ digest >> 32);
    line[at].left_out = left_out;
    if (last || at == DIGESTS_A_LINE - 1)
        print_line(index - at, at + 1);
}

/* Under Tally a byte on the console costs more than many a snippet. */
static void end_in_group(u64 index, bool last, const char *left_out)
{
    static u64 group;
    static struct {
        u64 index;
        const char *why;
    } without[FUZZ_GROUP];
    static u32 count;

    if (left_out) {
        without[count].index = index;
        without[count++].why = left_out;
    } else {
        group = ((group << 5 | group >> 59) ^ digest) * MULTIPLIER;
    }
    if (!last && index % FUZZ_GROUP != FUZZ_GROUP - 1)
        return;
    print("# group %lu: %lu %016lx", index / FUZZ_GROUP, index % FUZZ_GROUP + 1, group);
    for (u32 i = 0; i < count; i++)
        print(" %s %lu", without[i].why, without[i].index);
    print("\n");
    group = count = 0;
}

void fuzz_digest_end(u64 index, bool last, const char *left_out)
{
    if (!fuzz_options.compare)
        return;
    if (fuzz_options.groups)
        end_of_one(index, last, left_out);
    else
        end_in_group(index, last, left_out);
}
