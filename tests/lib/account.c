/*
 * Tally's counters and trace against the emulator's own account of the exits.
 *
 * Usage: account MEMORY <LOG
 * LOG is what Bochs says of every exit (debug: cpu0=report, …); it is read to its end. MEMORY,
 * which is there by then, is a piece of Tally's own with its window in it. Every line of the answer
 * is a fact, `name number`; where the two differ, `differs: …` says how, a few times for each vCPU.
 */
#include "window_layout.h"
#include "sites_layout.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS 8
#define STAMPS 6 /* Tally reads the TSC twice, and for a kick a few times more */
#define SHOWN 5  /* differences of a CPU */
#define SPREAD_TURN                                                                                \
    100 /* ticks: the CPUs of the emulator take turns of so many instructions or less */

enum { NMI_TYPE = 2, MSR_TSC = 0x10, MSR_TSC_ADJUST = 0x3B };

struct exit {
    u64 tick, qualification, address;
    u64 tsc[STAMPS]; /* as Tally read it, at the exit and after it */
    u32 stamps;
    u32 reason, msr, event, injected;
};

static struct cpu {
    struct exit *exit, next; /* `next`: what is said before the reason */
    size_t count, room;
    bool inside; /* in Tally */
    unsigned differences;
} cpus[CPUS];

static unsigned verdict, differences;

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

static void add_exit(struct cpu *cpu, u64 tick, const char *text)
{
    unsigned long long qualification = 0;
    sscanf(text, "%u", &cpu->next.reason);
    const char *q = strstr(text, "qualification=");
    if (q)
        sscanf(q, "qualification=%llx", &qualification);
    if (cpu->count == cpu->room) {
        cpu->room = cpu->room ? 2 * cpu->room : 65536;
        cpu->exit = realloc(cpu->exit, cpu->room * sizeof(struct exit));
        if (!cpu->exit)
            exit(2);
    }
    cpu->next.tick = tick;
    cpu->next.qualification = qualification;
    cpu->exit[cpu->count++] = cpu->next;
    cpu->next = (struct exit){0};
    cpu->inside = true;
}

static void read_tsc(struct cpu *cpu, const char *text)
{
    unsigned high, low;
    if (!cpu->inside || sscanf(text, "%x:%x", &high, &low) != 2)
        return;
    struct exit *exit = &cpu->exit[cpu->count - 1];
    if (exit->stamps < STAMPS)
        exit->tsc[exit->stamps++] = (u64)high << 32 | low;
}

/* Whether it took so long from the first stamp to a later one. */
static bool took(const struct exit *exit, u64 cycles)
{
    for (u32 i = 1; i < exit->stamps; i++)
        if (exit->tsc[i] - exit->tsc[0] == cycles)
            return true;
    return false;
}

static const char *after(const char *text, const char *words)
{
    size_t length = strlen(words);
    return strncmp(text, words, length) == 0 ? text + length : NULL;
}

/* One line of a CPU's. */
static void take(struct cpu *cpu, u64 tick, const char *text)
{
    const char *rest;
    unsigned number, type;
    unsigned long long address;
    if ((rest = after(text, "VMEXIT reason = "))) {
        add_exit(cpu, tick, rest);
    } else if ((rest = after(text, "RDTSC: ticks "))) {
        read_tsc(cpu, rest);
    } else if (after(text, "VMRESUME")) {
        cpu->inside = false;
    } else if ((rest = after(text, "VMEXIT: RDMSR ")) || (rest = after(text, "VMEXIT: WRMSR "))) {
        sscanf(rest, "%x", &cpu->next.msr);
    } else if ((rest = after(text, "VMEXIT: EPT violation for guest paddr "))) {
        if (sscanf(rest, "%llx", &address) == 1)
            cpu->next.address = address;
    } else if ((rest = after(text, "VMEXIT: event vector "))) {
        if (sscanf(rest, "%x type %u", &number, &type) == 2)
            cpu->next.event = number | (type == NMI_TYPE ? 0x100 : 0);
    } else if ((rest = after(text, "VMENTER: Injecting vector ")) && cpu->count) {
        sscanf(rest, "%x", &cpu->exit[cpu->count - 1].injected);
    }
}

/* Lines are TICKd[CPUn  ] TEXT. */
static void read_log(void)
{
    static char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        const char *mark = strchr(line, '[');
        if (!mark)
            continue;
        if (strncmp(mark, "[CPU", 4) == 0 && mark[4] >= '0' && mark[4] < '0' + CPUS) {
            const char *text = strstr(mark, "] ");
            if (text)
                take(&cpus[mark[4] - '0'], strtoull(line, NULL, 10), text + 2);
        } else {
            const char *value = strstr(line, "32-bit write to 00f4 = ");
            if (value)
                sscanf(value, "32-bit write to 00f4 = %x", &verdict);
        }
    }
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

/* Its tick of the emulator's against Tally's time: always so much, in 64-bit mode and out of it. */
static void compare_time(struct cpu *cpu, const struct trace_record *record,
                         const struct exit *exit, bool turns)
{
    static struct {
        bool known;
        u64 least;
    } offset[2];
    unsigned legacy = record->mode >> SITE_MODE_SHIFT != SITE_64;
    u64 off = record->time - exit->tick;
    if (!offset[legacy].known) {
        offset[legacy].known = true;
        offset[legacy].least = off;
    }
    u64 drift = off - offset[legacy].least;
    if (turns ? drift + SPREAD_TURN > 2 * SPREAD_TURN : drift)
        differs(cpu, "reason %u at tick %lu: time is off by %ld", record->reason,
                (unsigned long)exit->tick, (long)drift);
}

static void compare_record(struct cpu *cpu, const struct trace_record *record,
                           const struct exit *exit, bool last, bool turns)
{
    u64 detail = detail_of(exit, record->detail);
    if (record->reason != exit->reason || record->detail != detail)
        differs(cpu, "tick %lu: emulator reason %u detail %lx, Tally reason %u detail %lx",
                (unsigned long)exit->tick, exit->reason, (unsigned long)detail, record->reason,
                (unsigned long)record->detail);
    if (!last && !moves_tsc(exit) && !took(exit, record->cycles))
        differs(cpu, "tick %lu reason %u: emulator %lu cycles, Tally %u", (unsigned long)exit->tick,
                exit->reason, (unsigned long)(exit->tsc[1] - exit->tsc[0]), record->cycles);
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
