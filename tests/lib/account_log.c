#include "account.h"
#include "tally.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NMI_TYPE = 2 };

struct cpu cpus[CPUS];
unsigned verdict;

/* The array, which may have moved, with room for one more than `count`. */
static void *with_room(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = *room ? 2 * *room : 65536;
    array = realloc(array, *room * size);
    if (!array)
        exit(2);
    return array;
}

static void add_exit(struct cpu *cpu, u64 tick, const char *text)
{
    unsigned long long qualification = 0;
    sscanf(text, "%u", &cpu->next.reason);
    const char *q = strstr(text, "qualification=");
    if (q)
        sscanf(q, "qualification=%llx", &qualification);
    cpu->exit = with_room(cpu->exit, &cpu->room, cpu->count, sizeof(struct exit));
    cpu->next.tick = tick;
    cpu->next.qualification = qualification;
    cpu->next.stamp = cpu->stamps;
    cpu->exit[cpu->count++] = cpu->next;
    cpu->next = (struct exit){0};
    cpu->inside = true;
}

static void read_tsc(struct cpu *cpu, u64 tick, const char *text)
{
    unsigned high, low;
    if (!cpu->inside || sscanf(text, "%x:%x", &high, &low) != 2)
        return;
    cpu->stamp = with_room(cpu->stamp, &cpu->stamp_room, cpu->stamps, sizeof(u64));
    cpu->stamp[cpu->stamps++] = (u64)high << 32 | low;
    if (cpu->exit[cpu->count - 1].stamps++ == 0)
        cpu->exit[cpu->count - 1].stamp_tick = tick;
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
        read_tsc(cpu, tick, rest);
    } else if (after(text, "interrupt(): ") && cpu->inside) {
        cpu->exit[cpu->count - 1].interrupted |= !cpu->exit[cpu->count - 1].stamps;
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
void read_log(void)
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
