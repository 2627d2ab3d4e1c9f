#include "fuzz/fuzz.h"
#include "kernel/apic.h"
#include "kernel/console.h"
#include "kernel/descriptors.h"
#include "kernel/options.h"
#include "harness/instruction_test.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

#define WATCHDOG_TICKS 200000
#define WATCHDOG_MAX 24 /* HLT waits for one, too */
#define TRAPS_MAX 400
#define OPCODE_HLT 0xF4
#define SNIPPET_STEP 0xD1B54A32D192ED03ull
#define SNIPPETS_BETWEEN_CHECKS 500
#define EXCEPTIONS 32

extern struct run *running; /* run.c: NULL while this kernel itself runs */
void fuzz_leave(void);
__asm__(".pushsection .text\n"
        "fuzz_leave: int $0x40\n" /* VECTOR_DONE */
        ".popsection");

struct fuzz_options fuzz_options;
static struct snippet snippet;
static u32 traps, alarms, left_out[LEFT_OUT];
static bool timed_out;
static u64 last_offset; /* where the snippet was left */

/* Of the code in its segment. */
static u32 base(void)
{
    return snippet.bits == 16 ? 0 : LOW_MEMORY;
}

/* Ends the snippet from a handler, whatever it has done. */
static void leave(struct trap_frame *frame)
{
    last_offset = frame->rip - base();
    frame->rip = (u64)fuzz_leave;
    frame->cs = SELECTOR_CODE64;
    frame->ss = SELECTOR_DATA;
    frame->rflags = RFLAGS_FIXED;
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
    fuzz_fold_event(frame);
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
    if (++alarms < WATCHDOG_MAX && !snippet.raw) {
        apic_timer_start(WATCHDOG_TICKS);
        return;
    }
    timed_out = true;
    leave(frame);
}

static void on_interrupt(struct trap_frame *frame)
{
    if (running)
        fuzz_fold_event(frame);
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
    if (snippet.changes_idt)
        value &= ~RFLAGS_TF;
    if (!snippet.raw && fuzz_one_in(2))
        value |= fuzz_random() & RFLAGS_IOPL;
    if ((!snippet.legacy || snippet.mode == MODE_P32) && fuzz_one_in(8))
        value |= RFLAGS_NT;
    return value;
}

static bool ended_by_interrupt(const struct run *r)
{
    return snippet.legacy && (r->vector == VECTOR_TIMER || r->vector == VECTOR_LOW);
}

/* Outside IA-32e mode the timer ends HLT, and with it the snippet: in each run at the same place.
 */
static bool ended_by_timer(const struct run *r)
{
    if (timed_out)
        return true;
    return snippet.legacy && r->vector == VECTOR_TIMER &&
           !(r->rip && r->rip <= snippet.length && snippet.starts[r->rip - 1] &&
             snippet.code[r->rip - 1] == OPCODE_HLT);
}

static enum fuzz_left_out why_left_out(const struct run *r)
{
    u64 offset = snippet.legacy ? r->rip : last_offset;

    if (ended_by_timer(r))
        return ENDED_BY_TIMER;
    return offset < snippet.length ? snippet.unequal[offset] : COMPARED;
}

/* The image of RFLAGS lies on the code's own stack, outside IA-32e mode in ring 0. */
static void forget_resume_flag(const struct run *r)
{
    bool narrow = snippet.bits == 16 || r->ss == SELECTOR_DATA16;
    u64 sp = narrow ? (u16)r->gpr[RSP] + LOW_MEMORY : r->gpr[RSP], image = sp - sizeof(u32);

    if (snippet.legacy && r->vector == VECTOR_DB && snippet.mode != MODE_REAL &&
        image >= LOW_MEMORY && image < LOW_STACK_TOP)
        *(volatile u32 *)image &= ~(u32)RFLAGS_RF;
}

static enum fuzz_left_out run_snippet(void)
{
    struct run r = {.mode = snippet.mode,
                    .code = {snippet.code, snippet.code + snippet.length},
                    .rflags = random_rflags()};
    u64 touched = snippet.user ? snippet.touched & TOUCHED_MEMORY : snippet.touched;

    for (u32 i = 0; i < GPRS; i++)
        r.gpr[i] = i == RSP ? 0 : fuzz_random() >> fuzz_below(64);
    fuzz_show_before(&r);
    traps = alarms = timed_out = 0;
    last_offset = ~0ull;
    fuzz_memory_prepare(&snippet);
    if (snippet.raw)
        fuzz_close_memory();
    if (!snippet.legacy && fuzz_one_in(8))
        apic_self_ipi(VECTOR_LOW);
    apic_timer_start(WATCHDOG_TICKS);
    run_uncounted(&r);
    if (ended_by_interrupt(&r))
        apic_eoi();
    apic_timer_stop();
    forget_resume_flag(&r);
    fuzz_fold_run(&r);
    fuzz_fold_registers(touched);
    if (snippet.raw)
        fuzz_open_memory();
    fuzz_state_restore(touched);
    fuzz_memory_fold(&snippet);
    __asm__ volatile("sti; nop; cli"); /* what is still pending */
    return why_left_out(&r);
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

static void read_options(void)
{
    struct fuzz_options *o = &fuzz_options;
    const char *numbers = option_value("fuzz="), *hidden = option_value("compare=");

    o->seed = number(&numbers);
    o->count = number(&numbers);
    o->show = option_value("show=");
    o->groups = option_value("groups=");
    o->compare = hidden;
    if (hidden) {
        o->hidden = number(&hidden);
        o->hidden_end = number(&hidden);
    }
}

static bool is_among(const char *numbers, u64 index)
{
    while (numbers && *numbers >= '0' && *numbers <= '9')
        if (number(&numbers) == index)
            return true;
    return false;
}

static void show(u64 index)
{
    print("# snippet %lu, %s%s\n ", index, mode_name(snippet.mode), snippet.raw ? ", raw" : "");
    for (u32 i = 0; i < snippet.length; i++)
        print("%s%02x", snippet.starts[i] ? " " : "", snippet.code[i]);
    print("\n");
}

static void one_snippet(u64 index)
{
    bool shown = is_among(fuzz_options.show, index);
    enum fuzz_left_out why;

    fuzz_seed(fuzz_options.seed + index * SNIPPET_STEP);
    fuzz_digest_begin(shown);
    fuzz_memory_reset(snippet.touched);
    fuzz_make_snippet(&snippet);
    if (shown)
        show(index);
    why = run_snippet();
    left_out[why]++;
    fuzz_digest_end(index, index == fuzz_options.count - 1, fuzz_left_out_names[why]);
}

void fuzz(void)
{
    const struct fuzz_options *o = &fuzz_options;
    const char *wrong = NULL;

    read_options();
    family_begin("fuzz");
    fuzz_seed(o->seed);
    fuzz_state_init();
    catch_all();
    fuzz_checks_init();
    if (o->compare)
        note("fuzz: Tally's memory %lu,%lu", o->hidden, o->hidden_end);
    for (u64 done = 0; done < o->count && !wrong;) {
        if (!o->groups || is_among(o->groups, done / FUZZ_GROUP))
            one_snippet(done);
        done++;
        if (done % SNIPPETS_BETWEEN_CHECKS == 0 || done == o->count) {
            wrong = fuzz_check();
            note("fuzz: seed %lu, %lu snippets, %u exits", o->seed, done,
                 under_tally() ? all_exits() : 0);
        }
    }
    for (u32 why = COMPARED + 1; why < LEFT_OUT && o->compare; why++)
        note("fuzz: left out: %s %u", fuzz_left_out_names[why], left_out[why]);
    if (!ok(!wrong && o->count, "seed %lu, %lu snippets", o->seed, o->count))
        note("%s", wrong ? wrong : "fuzz=SEED,COUNT wants two numbers");
}
