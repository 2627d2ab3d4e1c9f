#include "tests/smp/smp_cost.h"
#include "kernel/console.h"
#include "kernel/smp.h"
#include "kernel/statistics.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define TIMES 20000
#define POST_PORT 0x80

static volatile u32 ready;
static u64 ticks[SMP_CPUS];

/* A mean, not the least: Bochs' TSC stands still while a CPU has its turn of a few instructions. */
#define MEASURE(name, operation)                                                                   \
    static void name(struct cpu *self)                                                             \
    {                                                                                              \
        __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);                                           \
        smp_wait(&ready, smp_count);                                                               \
        u64 start = rdtsc();                                                                       \
        for (u32 i = 0; i < TIMES; i++)                                                            \
            operation;                                                                             \
        ticks[self->index] = rdtsc() - start;                                                      \
    }

MEASURE(nothing, __asm__ volatile(""))
MEASURE(cpuid_leaf_0, cpuid(0, 0))
MEASURE(rdmsr_feature_control, rdmsr(IA32_FEATURE_CONTROL))
MEASURE(port_read, inb(POST_PORT))
MEASURE(cpuid_all_exits, cpuid(LEAF_EXITS, 0))

static const struct {
    const char *name;
    void (*measure)(struct cpu *self);
} operations[] = {
    {"nothing", nothing},
    {"cpuid", cpuid_leaf_0},
    {"rdmsr", rdmsr_feature_control},
    {"port_read", port_read},
    {"cpuid_all_exits", cpuid_all_exits}, /* adds up the counts of all CPUs */
};

static void print_tenths(const char *name, u64 sum)
{
    u64 tenths = sum * 10 / TIMES;

    print(",\"%s\":%lu.%lu", name, tenths / 10, tenths % 10);
}

void measure_exits_at_once(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
        u64 least = ~0ull, most = 0;

        ready = 0;
        smp_everywhere(operations[i].measure);
        for (u32 cpu = 0; cpu < smp_count; cpu++) {
            least = ticks[cpu] < least ? ticks[cpu] : least;
            most = ticks[cpu] > most ? ticks[cpu] : most;
        }
        print("{\"bench\":\"%s\",\"profile\":\"%s\",\"cpus\":%u", operations[i].name,
              profile_name(), smp_count);
        print_tenths("least", least);
        print_tenths("most", most);
        print("}\n");
    }
}
