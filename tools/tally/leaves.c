/* The counters by CPUID, which any program may read; each question is an exit. */
#include "reading.h"
#include "stats/counters.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

u64 own_cpuids;

struct registers cpuid(u32 leaf, u32 subleaf)
{
    struct registers r;
    own_cpuids++;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/*
 * The signature in leaf 0x40000000 can be switched off, and a CPU without a hypervisor answers
 * unknown leaves with those of its highest basic one. No CPU answers an undefined reason so.
 */
bool under_tally(void)
{
    struct registers r = cpuid(LEAF_REASON_EXITS, 35);
    return !r.eax && !r.ebx && !r.ecx && r.edx == TALLY_UNDEFINED_REASON;
}

void *take_memory(size_t size)
{
    void *memory = aligned_alloc(PAGE_SIZE, align_up(size, PAGE_SIZE));
    if (!memory) {
        fprintf(stderr, "tally: out of memory\n");
        exit(2);
    }
    return memset(memory, 0, size);
}

static u64 wide(u32 leaf, u32 reason)
{
    struct registers r = cpuid(leaf, reason);
    return (u64)r.ebx << 32 | r.eax;
}

static u64 read_cycles(u32 reason)
{
    struct registers r = cpuid(LEAF_REASON_CYCLES, reason);
    return (u64)r.ebx << 32 | r.ecx;
}

/* Of the own CPUIDs the last is still in progress: it has no cycles yet. */
static void leave_out_own(struct reason_counter *c, u64 before, u64 own_before)
{
    static u64 own_cycles;
    u64 after = read_cycles(EXIT_CPUID), cost = after - before;
    u64 timed = own_cpuids - own_before - 1;
    own_cycles += cost + cost / timed;
    u64 finished = own_cycles - cost / timed;
    c->cycles = after > finished ? after - finished : 0;
}

struct window *leaves_take(void)
{
    const u64 sizes[WINDOW_PARTS] = {[WINDOW_COUNTERS] = sizeof(struct statistics)};
    struct window *w = take_memory(window_pages(sizes, 1) * PAGE_SIZE);
    window_init(w, 0, sizes, 1);
    u64 cycles_before = read_cycles(EXIT_CPUID), own_before = own_cpuids - 1;
    for (u32 n = 0; n < EXIT_REASONS; n++) {
        struct reason_counter *c = &statistics->reason[n];
        if (!reason_is_defined(n) || !(c->count = wide(LEAF_REASON_EXITS64, n)))
            continue;
        if (n == EXIT_CPUID)
            c->count -= own_cpuids;
        c->cycles = read_cycles(n);
        c->min = wide(LEAF_REASON_MIN, n);
        c->max = wide(LEAF_REASON_MAX, n);
    }
    leave_out_own(&statistics->reason[EXIT_CPUID], cycles_before, own_before);
    struct registers info = cpuid(LEAF_INFO, 0);
    w->facts.profile = info.ecx <= PROFILE_ALL ? info.ecx : PROFILE_KVM;
    w->facts.tsc_khz = info.edx;
    return w;
}
