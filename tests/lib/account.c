/*
 * Tally's counters and trace against the emulator's own account of the exits.
 *
 * Usage: account MEMORY <LOG
 * LOG is what Bochs says of every exit (debug: cpu0=report, …); it is read to its end. MEMORY,
 * which is there by then, is a piece of Tally's own with its window in it. Every line of the answer
 * is a fact, `name number`; where the two differ, `differs: …` says how, a few times for each vCPU.
 */
#include "account.h"
#include "window_layout.h"
#include "sites_layout.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 5  /* differences of a CPU */
#define WRITE 50 /* ticks, at most, of a WRMSR of the TSC */
#define TURN 5   /* ticks: so many instructions the CPUs of the emulator execute in turns */

enum { MSR_TSC = 0x10, MSR_TSC_ADJUST = 0x3B };

static unsigned differences;

static void differs(struct cpu *cpu, const char *format, ...)
{
    va_list arguments;
    differences++;
    if (cpu && cpu->differences++ >= SHOWN)
        return;
    printf("differs: ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* Tally reads the TSC twice, and more often where it waits for another CPU. In HLT with IF = 0 the
 * second and the third time are around what is the guest's sleep: no cycles, and the exit's time is
 * later by it. */
static u64 asleep(const struct cpu *cpu, const struct exit *exit)
{
    const u64 *tsc = cpu->stamp + exit->stamp;
    return exit->reason == EXIT_HLT && exit->stamps >= 4 ? tsc[2] - tsc[1] : 0;
}

/* Whether it took so long from the first stamp to a later one. */
static bool took(const struct cpu *cpu, const struct exit *exit, u64 cycles)
{
    const u64 *tsc = cpu->stamp + exit->stamp;
    u64 slept = asleep(cpu, exit);
    for (u32 i = slept ? 3 : 1; i < exit->stamps; i++)
        if (tsc[i] - tsc[0] - slept == cycles)
            return true;
    return false;
}

static const struct window *find_window(const char *file)
{
    FILE *from = fopen(file, "rb");
    if (!from || fseek(from, 0, SEEK_END))
        return NULL;
    size_t size = ftell(from);
    u8 *memory = aligned_alloc(PAGE_SIZE, (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE);
    rewind(from);
    if (!memory || fread(memory, 1, size, from) != size)
        return NULL;
    for (size_t at = 0; at + PAGE_SIZE <= size; at += PAGE_SIZE) {
        const struct window *w = (const struct window *)(memory + at);
        if (w->mark == WINDOW_MARK && at + w->pages * PAGE_SIZE <= size)
            return w;
    }
    return NULL;
}

static const void *part(const struct window *w, enum window_kind kind, u32 copy)
{
    const struct window_part *p = &w->part[kind];
    return p->size ? (const u8 *)w + p->offset + copy * p->size : NULL;
}

static void compare_counts(const struct window *w)
{
    u64 all = 0;
    for (u32 i = 0; i < w->facts.vcpus; i++) {
        const struct statistics *tally = part(w, WINDOW_COUNTERS, i);
        u64 said[REASON_SLOTS] = {0};
        for (size_t k = 0; k < cpus[i].count; k++)
            said[cpus[i].exit[k].reason < EXIT_REASONS ? cpus[i].exit[k].reason : EXIT_REASONS]++;
        for (u32 reason = 0; reason < REASON_SLOTS; reason++)
            if (said[reason] != tally->reason[reason].count)
                differs(NULL, "vcpu %u reason %u: emulator %lu Tally %lu", i, reason,
                        (unsigned long)said[reason], (unsigned long)tally->reason[reason].count);
        all += cpus[i].count;
    }
    printf("exits %lu\n", (unsigned long)all);
}

/* The detail as docs/sites.md has it, where the emulator tells enough; else what Tally says. */
static u64 detail_of(const struct exit *exit, u64 told)
{
    u64 q = exit->qualification;
    switch (exit->reason) {
    case 0: return exit->event;
    case 1:
    case 7: return exit->injected;
    case 9: return q >> 30 & 3;
    case 28: return q & 0x3F;
    case 29: return q & 0x17;
    case 30: return q & 0xFFFF001F;
    case 31:
    case 32: return exit->msr;
    case 44: return q & 0xFFF;
    case 48: return (exit->address & ~0xFFFull) | (q & 7);
    default: return told;
    }
}

static bool moves_tsc(const struct exit *exit)
{
    return exit->reason == 32 && (exit->msr == MSR_TSC || exit->msr == MSR_TSC_ADJUST);
}

/* Of two moments the second is always later by so many ticks. */
struct distance {
    bool known;
    u64 ticks;
};

static bool keeps(struct distance *distance, u64 from, u64 to, u64 slack)
{
    if (!distance->known)
        *distance = (struct distance){true, to - from};
    return to - from - distance->ticks + slack <= 2 * slack;
}

/* When Tally read the TSC first is the record's time. What a guest's write to the TSC takes is lost
 * to Tally's clock of that CPU. */
static bool time_is_right(struct cpu *cpu, const struct trace_record *record,
                          const struct exit *exit)
{
    static struct distance of_all, of_cpu[CPUS];
    struct distance *start = &of_cpu[cpu - cpus];
    u64 time = record->time - asleep(cpu, exit);
    if (!start->known && keeps(&of_all, time, exit->stamp_tick, 0))
        *start = of_all;
    bool right = keeps(start, time, exit->stamp_tick, cpu->tsc_written ? WRITE : 0);
    if (cpu->tsc_written)
        start->ticks = exit->stamp_tick - time;
    cpu->tsc_written = moves_tsc(exit);
    return right;
}

/* That is some instructions after the exit, more of them outside 64-bit mode. */
static bool stamp_is_near(const struct trace_record *record, const struct exit *exit, bool turns)
{
    static struct distance to_stamp[2];
    bool legacy = record->mode >> SITE_MODE_SHIFT != SITE_64;
    return exit->interrupted ||
           keeps(&to_stamp[legacy], exit->tick, exit->stamp_tick, turns ? TURN : 0);
}

static void compare_time(struct cpu *cpu, const struct trace_record *record,
                         const struct exit *exit, bool turns)
{
    if (!time_is_right(cpu, record, exit) || !stamp_is_near(record, exit, turns))
        differs(cpu, "tick %lu reason %u: read the TSC at tick %lu, its time is %lu",
                (unsigned long)exit->tick, exit->reason, (unsigned long)exit->stamp_tick,
                (unsigned long)record->time);
}

static void compare_record(struct cpu *cpu, const struct trace_record *record,
                           const struct exit *exit, bool last, bool turns)
{
    u64 detail = detail_of(exit, record->detail);
    if (record->reason != exit->reason || record->detail != detail)
        differs(cpu, "tick %lu: emulator reason %u detail %lx, Tally reason %u detail %lx",
                (unsigned long)exit->tick, exit->reason, (unsigned long)detail, record->reason,
                (unsigned long)record->detail);
    if (!last && !moves_tsc(exit) && !took(cpu, exit, record->cycles))
        differs(cpu, "tick %lu reason %u: Tally %u cycles, as by none of the emulator's %u RDTSCs",
                (unsigned long)exit->tick, exit->reason, record->cycles, exit->stamps);
    compare_time(cpu, record, exit, turns);
}

/* INITs at which a CPU had to leave VMX operation (Bochs 2.7) are not in the trace; docs/sites.md.
 */
static void compare_trace(const struct window *w, u32 vcpu)
{
    const struct trace_log *log = part(w, WINDOW_TRACE, vcpu);
    struct cpu *cpu = &cpus[vcpu];
    u64 kept = log->written < log->rows ? log->written : log->rows, at = 0, left_out = 0;
    for (size_t k = 0; k < cpu->count && at < kept; k++) {
        if (cpu->exit[k].reason == EXIT_INIT_SIGNAL && log->record[at].reason != EXIT_INIT_SIGNAL) {
            left_out++;
            continue;
        }
        compare_record(cpu, &log->record[at++], &cpu->exit[k], k + 1 == cpu->count,
                       w->facts.vcpus > 1);
    }
    u64 missing = cpu->count - log->written - left_out;
    if (missing > (w->facts.vcpus > 1) && log->written <= log->rows)
        differs(NULL, "vcpu %u: emulator %lu exits, %lu in the trace, %lu INITs without VMX", vcpu,
                (unsigned long)cpu->count, (unsigned long)log->written, (unsigned long)left_out);
    printf("traced %lu\n", (unsigned long)at);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    read_log();
    const struct window *w = find_window(argv[1]);
    if (!w) {
        printf("no window of Tally's in %s\n", argv[1]);
        return 1;
    }
    printf("verdict %x\n", verdict);
    compare_counts(w);
    for (u32 i = 0; part(w, WINDOW_TRACE, 0) && i < w->facts.vcpus; i++)
        compare_trace(w, i);
    printf("differences %u\n", differences);
    return 0;
}
