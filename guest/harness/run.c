#include "harness/run.h"
#include "x86/instructions.h"
#include "kernel/descriptors.h"
#include "harness/legacy.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

#define OPCODE_INT 0xCD
#define OPCODE_INT3 0xCC
#define DONE_LENGTH 2

struct mode_setup {
    const char *name;
    u16 cs, ss, base;
    enum { IN_LONG_MODE, LEGACY, LEGACY_PAGED, LEGACY_PAGED_32 } kind;
    u32 rflags;
};

#define LOW_SEGMENT (LOW_MEMORY / 16) /* the segment of virtual-8086 and real-address mode */

static const struct mode_setup modes[MODES] = {
    [MODE_64] = {"64-bit ring 0", SELECTOR_CODE64, SELECTOR_DATA, 0, IN_LONG_MODE, 0},
    [MODE_64_USER] = {"64-bit ring 3", SELECTOR_USER_CODE64, SELECTOR_USER_DATA, 0, IN_LONG_MODE,
                      0},
    [MODE_32] = {"32-bit ring 0", SELECTOR_CODE32, SELECTOR_DATA, 0, IN_LONG_MODE, 0},
    [MODE_32_USER] = {"32-bit ring 3", SELECTOR_USER_CODE32, SELECTOR_USER_DATA, 0, IN_LONG_MODE,
                      0},
    [MODE_16] = {"16-bit ring 0", SELECTOR_CODE16, SELECTOR_DATA16, LOW_MEMORY, IN_LONG_MODE, 0},
    [MODE_16_USER] = {"16-bit ring 3", SELECTOR_USER_CODE16, SELECTOR_USER_DATA16, LOW_MEMORY,
                      IN_LONG_MODE, 0},
    [MODE_P32] = {"protected 32-bit ring 0", SELECTOR_CODE32, SELECTOR_DATA, 0, LEGACY_PAGED, 0},
    [MODE_P32_USER] = {"protected 32-bit ring 3", SELECTOR_USER_CODE32, SELECTOR_USER_DATA, 0,
                       LEGACY_PAGED, 0},
    [MODE_P16] = {"protected 16-bit ring 0", SELECTOR_CODE16, SELECTOR_DATA16, LOW_MEMORY, LEGACY,
                  0},
    [MODE_P16_USER] = {"protected 16-bit ring 3", SELECTOR_USER_CODE16, SELECTOR_USER_DATA16,
                       LOW_MEMORY, LEGACY, 0},
    [MODE_V86] = {"virtual-8086", LOW_SEGMENT, LOW_SEGMENT, LOW_MEMORY, LEGACY_PAGED,
                  RFLAGS_VM | RFLAGS_IOPL},
    [MODE_REAL] = {"real-address", 0, LOW_SEGMENT, LOW_MEMORY, LEGACY, 0},
    [MODE_N32] = {"32-bit paging ring 0", SELECTOR_CODE32, SELECTOR_DATA, 0, LEGACY_PAGED_32, 0},
    [MODE_N32_USER] = {"32-bit paging ring 3", SELECTOR_USER_CODE32, SELECTOR_USER_DATA, 0,
                       LEGACY_PAGED_32, 0},
};

#define DEFINE_SEGMENT_REGISTER(name)                                                              \
    static u64 read_##name(void)                                                                   \
    {                                                                                              \
        u64 selector;                                                                              \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(selector));                                  \
        return selector;                                                                           \
    }
DEFINE_SEGMENT_REGISTER(ds)
DEFINE_SEGMENT_REGISTER(es)
DEFINE_SEGMENT_REGISTER(fs)
DEFINE_SEGMENT_REGISTER(gs)

struct run *running;

void run_enter(const struct trap_frame *start, u64 data_selector);
_Noreturn void run_leave(void);

const char *mode_name(enum mode mode)
{
    return modes[mode].name;
}

/* The code under test ended here; does not return. */
static void end_run(struct run *run, const struct trap_frame *frame)
{
    running = NULL;
    for (u32 i = 0; i < GPRS; i++)
        run->gpr[i] = frame->gpr[i];
    run->vector = frame->vector;
    run->error = frame->error;
    run->rip = frame->rip + modes[run->mode].base - LOW_MEMORY;
    if (frame->vector == VECTOR_DONE)
        run->rip -= DONE_LENGTH;
    run->cs = frame->cs;
    run->ss = frame->ss;
    run->rflags = frame->rflags;
    run->cr2 = read_cr2();
    run->ds = read_ds();
    run->es = read_es();
    run->fs = read_fs();
    run->gs = read_gs();
    run_leave();
}

void end_run_by_trap(struct trap_frame *frame)
{
    if (running)
        end_run(running, frame);
    else
        bail_out("unexpected exception", frame);
}

static void place_code(struct code code)
{
    volatile u8 *to = (u8 *)(u64)LOW_MEMORY;
    const u8 *from = code.start;

    while (from < code.end)
        *to++ = *from++;
    *to++ = OPCODE_INT;
    *to++ = VECTOR_DONE;
    for (u32 i = 0; i < 16; i++)
        *to++ = OPCODE_INT3;
}

/* It starts as it goes on after a trap: IRET to a 16-bit stack leaves the upper half of the
 * handler's ESP. */
static void run_long(struct run *run, const struct mode_setup *mode)
{
    struct trap_frame *start = frame_of_trap();

    *start = (struct trap_frame){
        .rip = LOW_MEMORY - mode->base,
        .cs = mode->cs,
        .ss = mode->ss,
        .rflags = run->rflags | RFLAGS_FIXED,
        .rsp = run->gpr[RSP],
    };

    for (u32 i = 0; i < GPRS; i++)
        start->gpr[i] = run->gpr[i];
    running = run;
    run_enter(start, mode->ss);
}

static void run_legacy(struct run *run, const struct mode_setup *mode)
{
    struct legacy_state state = {
        .eip = LOW_MEMORY - mode->base,
        .cs = mode->cs,
        .ss = mode->ss,
        .data = mode->ss,
        .eflags = (u32)(run->rflags | RFLAGS_FIXED | mode->rflags),
        .paged = mode->kind == LEGACY_PAGED_32 ? PAGED_32 : mode->kind == LEGACY_PAGED,
    };

    for (u32 i = 0; i < ARRAY_SIZE(state.gpr); i++)
        state.gpr[i] = (u32)run->gpr[i];
    legacy_run(&state);
    for (u32 i = 0; i < ARRAY_SIZE(state.gpr); i++)
        run->gpr[i] = state.gpr[i];
    run->vector = state.vector;
    run->error = state.error;
    run->rip = state.eip + mode->base - LOW_MEMORY;
    if (state.vector == VECTOR_DONE)
        run->rip -= DONE_LENGTH;
    run->cs = state.cs;
    run->ss = (u16)state.ss;
    run->ds = (u16)state.ds;
    run->es = (u16)state.es;
    run->fs = (u16)state.fs;
    run->gs = (u16)state.gs;
    run->cr3 = state.cr3;
    run->tr = (u16)state.tr;
    run->idt_base = state.idt_base;
    run->rflags = state.eflags;
    run->cr2 = read_cr2();
}

static void prepare(struct run *run)
{
    place_code(run->code);
    if (!run->gpr[RSP])
        run->gpr[RSP] = LOW_STACK_TOP - modes[run->mode].base;
}

static void run_prepared(struct run *run)
{
    const struct mode_setup *mode = &modes[run->mode];

    if (mode->kind == IN_LONG_MODE)
        run_long(run, mode);
    else
        run_legacy(run, mode);
}

void run_uncounted(struct run *run)
{
    prepare(run);
    run_prepared(run);
}

static void run_and_count(struct run *run)
{
    struct exit_counts before, after;

    prepare(run);
    read_counts_before(run->reason, &before);
    run_prepared(run);
    read_counts_after(run->reason, &after);

    run->reason_exits = after.reason_exits - before.reason_exits;
    run->all_exits = after.all_exits - before.all_exits;
    run->reason_cycles = after.reason_cycles - before.reason_cycles;
}

/* The way to a legacy mode and back makes exits of its own: as many as with no code at all. */
static struct run mode_switches(const struct run *run)
{
    struct run empty = {.mode = run->mode, .reason = run->reason};

    if (modes[run->mode].kind != IN_LONG_MODE && under_tally())
        run_and_count(&empty);
    return empty;
}

void run(struct run *run)
{
    struct run empty = mode_switches(run);

    run_and_count(run);
    run->reason_exits -= empty.reason_exits;
    run->all_exits -= empty.all_exits;
    if (run->vector == VECTOR_DB)
        run->dr6 = read_dr6();
}
