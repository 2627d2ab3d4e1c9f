#include "fuzz/fuzz.h"
#include "kernel/apic.h"
#include "kernel/console.h"
#include "kernel/descriptors.h"
#include "harness/instruction_test.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

#define WATCHDOG_TICKS 20000
#define WATCHDOG_MAX 8 /* HLT waits for one, too */
#define TRAPS_MAX 100
#define SNIPPETS_BETWEEN_CHECKS 500
#define EXCEPTIONS 32

extern struct run *running; /* run.c: NULL while this kernel itself runs */
void fuzz_leave(void);
__asm__(".pushsection .text\n"
        "fuzz_leave: int $0x40\n" /* VECTOR_DONE */
        ".popsection");

static struct snippet snippet;
static u32 traps, alarms;

/* Ends the snippet from a handler, whatever it has done. */
static void leave(struct trap_frame *frame)
{
    frame->rip = (u64)fuzz_leave;
    frame->cs = SELECTOR_CODE64;
    frame->ss = SELECTOR_DATA;
    frame->rflags = RFLAGS_FIXED;
}

/* Of the code in its segment. */
static u32 base(void)
{
    return snippet.bits == 16 ? 0 : LOW_MEMORY;
}

static bool in_snippet(const struct trap_frame *frame, u64 *offset)
{
    static const u16 selectors[] = {SELECTOR_CODE64, SELECTOR_USER_CODE64,
                                    SELECTOR_CODE32, SELECTOR_USER_CODE32,
                                    SELECTOR_CODE16, SELECTOR_USER_CODE16};

    *offset = frame->rip - base();
    return frame->cs == selectors[snippet.mode] && *offset <= snippet.length;
}

/* Faults go on behind the instruction, traps where they are. */
static void on_exception(struct trap_frame *frame)
{
    u64 offset;

    if (!running) {
        if (frame->vector != VECTOR_DB && frame->vector != VECTOR_NMI)
            bail_out("exception between snippets", frame);
        return;
    }
    if (++traps > TRAPS_MAX || frame->vector == VECTOR_DF || !in_snippet(frame, &offset)) {
        leave(frame);
        return;
    }
    switch (frame->vector) {
    case VECTOR_DB:
        frame->rflags |= RFLAGS_RF; /* past the breakpoint */
        if (fuzz_one_in(16))
            frame->rflags &= ~RFLAGS_TF;
        return;
    case VECTOR_NMI:
    case VECTOR_BP:
    case VECTOR_OF: return;
    default:
        while (offset < snippet.length &&
               (!snippet.starts[offset] || offset == frame->rip - base()))
            offset++;
        frame->rip = base() + offset;
    }
}

static void on_timer(struct trap_frame *frame)
{
    apic_eoi();
    if (!running)
        return;
    if (++alarms >= WATCHDOG_MAX || snippet.raw)
        leave(frame);
    else
        apic_timer_start(WATCHDOG_TICKS);
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    apic_eoi();
}

static u64 random_rflags(void)
{
    u64 flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF | RFLAGS_OF |
                RFLAGS_RF | RFLAGS_AC | RFLAGS_ID | RFLAGS_IF;
    u64 value = fuzz_random() & flags;

    if (fuzz_one_in(8))
        value |= RFLAGS_TF;
    if (snippet.user)
        value |= RFLAGS_IF;
    if (snippet.user && !snippet.raw && !snippet.legacy && fuzz_one_in(4))
        value |= RFLAGS_IOPL;
    if (!snippet.legacy && fuzz_one_in(8))
        value |= RFLAGS_NT;
    return value;
}

static void run_snippet(void)
{
    struct run r = {.mode = snippet.mode,
                    .code = {snippet.code, snippet.code + snippet.length},
                    .rflags = random_rflags()};

    for (u32 i = 0; i < GPRS; i++)
        r.gpr[i] = i == RSP ? 0 : fuzz_random() >> fuzz_below(64);
    traps = alarms = 0;
    if (snippet.raw)
        fuzz_close_memory();
    if (!snippet.legacy && fuzz_one_in(8))
        apic_self_ipi(VECTOR_LOW);
    apic_timer_start(WATCHDOG_TICKS);
    run(&r);
    if (snippet.legacy && (r.vector == VECTOR_TIMER || r.vector == VECTOR_LOW))
        apic_eoi();
    apic_timer_stop();
    if (snippet.raw)
        fuzz_open_memory();
    fuzz_state_restore(snippet.user ? 0 : snippet.touched);
    __asm__ volatile("sti; nop; cli"); /* what is still pending */
}

static void catch_all(void)
{
    for (u32 vector = 0; vector < EXCEPTIONS; vector++)
        set_interrupt_handler(vector, on_exception);
    set_interrupt_handler(VECTOR_TIMER, on_timer);
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
}

static u64 number(const char **text)
{
    u64 value = 0;

    for (; **text >= '0' && **text <= '9'; ++*text)
        value = value * 10 + (u64)(**text - '0');
    if (**text == ',')
        ++*text;
    return value;
}

static void show(u64 index)
{
    note("snippet %lu, %s%s", index, mode_name(snippet.mode), snippet.raw ? ", raw" : "");
    for (u32 i = 0; i < snippet.length; i++)
        print("%s%02x", snippet.starts[i] ? " " : "", snippet.code[i]);
    print("\n");
}

void fuzz(const char *numbers)
{
    u64 seed = number(&numbers), count = number(&numbers), shown_from = number(&numbers), done = 0;
    const char *wrong = NULL;

    family_begin("fuzz");
    fuzz_seed(seed);
    fuzz_state_init();
    catch_all();
    fuzz_checks_init();
    while (done < count && !wrong) {
        fuzz_make_snippet(&snippet);
        if (shown_from && done >= shown_from)
            show(done);
        run_snippet();
        if (++done % SNIPPETS_BETWEEN_CHECKS == 0 || done == count) {
            wrong = fuzz_check();
            note("fuzz: seed %lu, %lu snippets, %u exits", seed, done,
                 under_tally() ? all_exits() : 0);
        }
    }
    if (!ok(!wrong && count, "seed %lu, %lu snippets", seed, count))
        note("%s", wrong ? wrong : "fuzz=SEED,COUNT wants two numbers");
}
