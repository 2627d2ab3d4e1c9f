#include "run.h"
#include "x86/instructions.h"
#include "descriptors.h"
#include "statistics.h"
#include "tap.h"

#define OPCODE_INT 0xCD
#define OPCODE_INT3 0xCC
#define DONE_LENGTH 2

struct mode_setup {
    const char *name;
    u16 cs, ss, base;
};

static const struct mode_setup modes[MODES] = {
    [MODE_64] = {"64-bit ring 0", SELECTOR_CODE64, SELECTOR_DATA, 0},
    [MODE_64_USER] = {"64-bit ring 3", SELECTOR_USER_CODE64, SELECTOR_USER_DATA, 0},
    [MODE_32] = {"32-bit ring 0", SELECTOR_CODE32, SELECTOR_DATA, 0},
    [MODE_32_USER] = {"32-bit ring 3", SELECTOR_USER_CODE32, SELECTOR_USER_DATA, 0},
    [MODE_16] = {"16-bit ring 0", SELECTOR_CODE16, SELECTOR_DATA16, LOW_MEMORY},
    [MODE_16_USER] = {"16-bit ring 3", SELECTOR_USER_CODE16, SELECTOR_USER_DATA16, LOW_MEMORY},
};

struct run *running;
u64 resume_rsp;
static interrupt_handler *interrupt_handlers[256];

void run_enter(const struct trap_frame *start, u64 data_selector);
_Noreturn void run_leave(void);
void trap(struct trap_frame *frame);

const char *mode_name(enum mode mode)
{
    return modes[mode].name;
}

void set_interrupt_handler(u32 vector, interrupt_handler *handler)
{
    interrupt_handlers[vector] = handler;
}

/* From traps.asm; returns only for interrupts that have a handler. */
void trap(struct trap_frame *frame)
{
    struct run *run = running;

    if (interrupt_handlers[frame->vector]) {
        interrupt_handlers[frame->vector](frame);
        return;
    }
    if (!run)
        bail_out("unexpected exception", frame);

    running = NULL;
    for (u32 i = 0; i < GPRS; i++)
        run->gpr[i] = frame->gpr[i];
    run->vector = frame->vector;
    run->error = frame->error;
    run->rip = frame->rip + modes[run->mode].base - LOW_MEMORY;
    if (frame->vector == VECTOR_DONE)
        run->rip -= DONE_LENGTH;
    run->cs = frame->cs;
    run->rflags = frame->rflags;
    run->cr2 = read_cr2();
    run_leave();
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

void run(struct run *run)
{
    const struct mode_setup *mode = &modes[run->mode];
    struct trap_frame start = {
        .rip = LOW_MEMORY - mode->base,
        .cs = mode->cs,
        .ss = mode->ss,
        .rflags = run->rflags | RFLAGS_FIXED,
        .rsp = run->gpr[RSP] ? run->gpr[RSP] : LOW_STACK_TOP - mode->base,
    };
    struct exit_counts before, after;

    for (u32 i = 0; i < GPRS; i++)
        start.gpr[i] = run->gpr[i];
    place_code(run->code);

    running = run;
    read_counts_before(run->reason, &before);
    run_enter(&start, mode->ss);
    read_counts_after(run->reason, &after);

    run->reason_exits = after.reason_exits - before.reason_exits;
    run->all_exits = after.all_exits - before.all_exits;
    run->reason_cycles = after.reason_cycles - before.reason_cycles;
    if (run->vector == VECTOR_DB)
        run->dr6 = read_dr6();
}
