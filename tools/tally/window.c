/* The window, by /dev/mem, read only: reading makes no exit but the question where it is. */
#include "reading.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const volatile struct window *mapped;

/* This program's own CPUIDs, on each vCPU. */
static struct own {
    u64 count, cycles;
} * own;

static const volatile struct reason_counter *cpuids_of(u32 vcpu)
{
    const volatile struct window_part *part = &mapped->part[WINDOW_COUNTERS];
    const volatile u8 *of_vcpu = (const volatile u8 *)mapped + part->offset + vcpu * part->size;
    return &((const volatile struct statistics *)of_vcpu)->reason[EXIT_CPUID];
}

/* Where it is. Asking puts it back where a guest has spoiled it, so it is asked before each
 * reading. */
static u64 ask(u32 *pages)
{
    struct registers r = cpuid(LEAF_WINDOW, 0);
    *pages = r.eax == WINDOW_VERSION ? r.edx : 0;
    return (u64)r.ebx << 32 | r.ecx;
}

/* Asks, and notes on which vCPU that was: where the count has grown, least if on several. */
static void ask_again(void)
{
    u32 vcpus = mapped->facts.vcpus, pages, on = 0;
    struct own *before = take_memory(vcpus * sizeof(*before));
    u64 least = ~0ull, asked = own_cpuids;
    for (u32 i = 0; i < vcpus; i++)
        before[i] = (struct own){cpuids_of(i)->count, cpuids_of(i)->cycles};
    ask(&pages);
    for (u32 i = 0; i < vcpus; i++) {
        u64 grown = cpuids_of(i)->count - before[i].count;
        if (grown && grown < least) {
            least = grown;
            on = i;
        }
    }
    if (!own) { /* those before are taken for this vCPU's */
        own = take_memory(vcpus * sizeof(*own));
        own[on].count = asked;
    }
    own[on].count++;
    own[on].cycles += (cpuids_of(on)->cycles - before[on].cycles) / least;
    free(before);
}

const char *window_find(void)
{
    static char why[64];
    u32 pages;
    u64 address = ask(&pages);
    if (!pages)
        return "there is no window that this program knows";
    int memory = open("/dev/mem", O_RDONLY | O_CLOEXEC);
    void *at = memory < 0
                   ? MAP_FAILED
                   : mmap(NULL, pages * PAGE_SIZE, PROT_READ, MAP_SHARED, memory, (off_t)address);
    snprintf(why, sizeof(why), "/dev/mem: %s", strerror(errno));
    if (memory >= 0)
        close(memory);
    if (at == MAP_FAILED)
        return why;
    mapped = at;
    if (mapped->mark == WINDOW_MARK && mapped->version == WINDOW_VERSION && mapped->pages == pages)
        return NULL;
    mapped = NULL;
    return "/dev/mem does not show the window";
}

static void copy(void *to, u64 offset, u64 size)
{
    const volatile u64 *from = (const volatile u64 *)((const volatile u8 *)mapped + offset);
    for (u64 i = 0; i < size / 8; i++)
        ((u64 *)to)[i] = from[i];
}

/* A row at a time: the table's sequence is odd while one is written. */
static void copy_sites(u8 *to, u64 offset)
{
    const volatile struct site_table *from =
        (const volatile struct site_table *)((const volatile u8 *)mapped + offset);
    struct site_table *table = (struct site_table *)to;
    copy(table, offset, sizeof(*table));
    for (u64 row = 0; row < table->rows; row++)
        for (unsigned tries = 0; tries < 1000; tries++) {
            u64 sequence = from->sequence;
            copy(&table->site[row],
                 offset + offsetof(struct site_table, site) + row * sizeof(struct site),
                 sizeof(struct site));
            if (!(sequence & 1) && from->sequence == sequence)
                break;
        }
}

static void copy_part(struct window *w, unsigned kind)
{
    const struct window_part *part = &w->part[kind];
    u32 copies = part->copies < w->facts.vcpus ? part->copies : w->facts.vcpus;
    for (u32 i = 0; part->size && i < copies; i++) {
        u64 offset = part->offset + i * part->size;
        if (kind == WINDOW_SITES)
            copy_sites((u8 *)w + offset, offset);
        else
            copy((u8 *)w + offset, offset, part->size);
    }
}

struct window *window_take(unsigned parts)
{
    if (!mapped)
        return NULL;
    ask_again();
    struct window *w = take_memory(mapped->pages * PAGE_SIZE);
    copy(w, 0, PAGE_SIZE);
    copy_part(w, WINDOW_COUNTERS);
    for (unsigned kind = WINDOW_COUNTERS + 1; kind < WINDOW_PARTS; kind++)
        if (parts & 1u << kind)
            copy_part(w, kind);
        else
            w->part[kind].size = 0;
    for (u32 i = 0; i < w->facts.vcpus; i++) {
        struct statistics *s = window_copy(w, WINDOW_COUNTERS, i);
        struct reason_counter *cpuids = &s->reason[EXIT_CPUID];
        cpuids->count -= own[i].count < cpuids->count ? own[i].count : cpuids->count;
        cpuids->cycles -= own[i].cycles < cpuids->cycles ? own[i].cycles : cpuids->cycles;
    }
    return w;
}

void window_of_one(struct window *w, u32 vcpu)
{
    for (unsigned kind = 0; kind < WINDOW_PARTS; kind++)
        if (w->part[kind].copies > vcpu)
            w->part[kind].offset += vcpu * w->part[kind].size;
    w->facts.vcpus = 1;
}
