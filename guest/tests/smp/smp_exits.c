#include "tests/smp/smp_exits.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define CPUID_1_ECX_XSAVE BIT(26)
#define VMCALL_LENGTH 3
#define POST_PORT 0x80
#define LEAF_EVERY 16 /* times that it is its turn */

static bool has_xsave;

static void do_cpuid(struct cpu *self)
{
    (void)self;
    cpuid(0, 0);
}

/* The number of all exits as this CPU sees it only grows. Asked now and then: it takes longer than
 * all the others together. */
static void do_leaf(struct cpu *self)
{
    u32 exits;

    if (self->next_way % LEAF_EVERY) {
        cpuid(0, 0);
        return;
    }
    exits = cpuid(LEAF_EXITS, 0).eax;

    self->mistakes += under_tally() && (int)(exits - (u32)self->argument) <= 0;
    self->argument = exits;
}

static void do_vmcall(struct cpu *self)
{
    (void)self;
    __asm__ volatile("vmcall" : : : "memory");
}

static void do_rdmsr(struct cpu *self)
{
    (void)self;
    rdmsr(IA32_FEATURE_CONTROL);
}

static void do_xsetbv(struct cpu *self)
{
    (void)self;
    if (has_xsave)
        __asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
}

static void do_out(struct cpu *self)
{
    outb(POST_PORT, (u8)self->index);
}

static void do_rdtsc(struct cpu *self)
{
    (void)self;
    rdtsc();
}

static void do_pause(struct cpu *self)
{
    (void)self;
    pause();
}

static void do_invlpg(struct cpu *self)
{
    invlpg((u64)self);
}

static void do_cr3(struct cpu *self)
{
    (void)self;
    read_cr3();
}

/* `profile`: from which on it exits. Ways of the same reason stand together. */
/* clang-format off */
static const struct way {
    void (*act)(struct cpu *self);
    u32 reason;
    enum tally_profile profile;
} ways[] = {
    {do_cpuid, EXIT_CPUID, PROFILE_MINIMAL},
    {do_leaf, EXIT_CPUID, PROFILE_MINIMAL},
    {do_vmcall, EXIT_VMCALL, PROFILE_MINIMAL},
    {do_xsetbv, EXIT_XSETBV, PROFILE_MINIMAL},
    {do_rdmsr, EXIT_RDMSR, PROFILE_MINIMAL},
    {do_out, EXIT_IO_INSTRUCTION, PROFILE_KVM},
    {do_rdtsc, EXIT_RDTSC, PROFILE_ALL},
    {do_pause, EXIT_PAUSE, PROFILE_ALL},
    {do_invlpg, EXIT_INVLPG, PROFILE_ALL},
    {do_cr3, EXIT_CR_ACCESS, PROFILE_ALL},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(ways) <= SMP_WAYS, "one count each");

#define ONLY_COUNTED                                                                               \
    4 /* ways before this one are of reasons that other CPUs cause nowhere else                    \
       */

static bool makes_exit(const struct way *way)
{
    return way->profile <= tally_profile() && (way->act != do_xsetbv || has_xsave);
}

static void skip_vmcall(struct trap_frame *frame)
{
    frame->rip += VMCALL_LENGTH;
}

void smp_exits_init(void)
{
    has_xsave = cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE;
    if (has_xsave)
        write_cr4(read_cr4() | CR4_OSXSAVE);
    set_interrupt_handler(VECTOR_UD, skip_vmcall);
}

void make_exit(struct cpu *self)
{
    u32 way = self->next_way++ % ARRAY_SIZE(ways);

    ways[way].act(self);
    self->did[way]++;
}

static u32 how_many;
static volatile u32 ready;

static void make_exits(struct cpu *self)
{
    self->argument = 0;
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    smp_wait(&ready,
             smp_count + 1); /* all set off at once, when the boot CPU has read the leaves */
    for (u32 i = 0; i < how_many; i++)
        make_exit(self);
}

/* How often `cpu`, or all for NULL, made an exit for `reason`. */
static u32 did(u32 reason, const struct cpu *cpu)
{
    u32 sum = 0;

    for (u32 i = 0; i < smp_count; i++)
        for (u32 way = 0; way < ARRAY_SIZE(ways) && (!cpu || cpu == &smp_cpus[i]); way++)
            if (ways[way].reason == reason && makes_exit(&ways[way]))
                sum += smp_cpus[i].did[way];
    return sum;
}

static bool is_first_of_reason(u32 way)
{
    return under_tally() && makes_exit(&ways[way]) &&
           (!way || ways[way - 1].reason != ways[way].reason);
}

/* Of every reason that the ways cause: what the leaves say less what the CPUs have counted. */
static void read_differences(u32 *difference)
{
    for (u32 way = 0; way < ARRAY_SIZE(ways); way++)
        if (is_first_of_reason(way))
            difference[way] = reason_exits(ways[way].reason) - did(ways[way].reason, NULL);
}

static u32 questions(void)
{
    u32 count = 0;

    for (u32 way = 0; way < ARRAY_SIZE(ways); way++)
        count += is_first_of_reason(way);
    return count;
}

static bool run_at_once(u32 *before)
{
    ready = 0;
    for (u32 i = 1; i < smp_count; i++)
        smp_order(&smp_cpus[i], make_exits);
    if (!smp_wait(&ready, smp_count - 1))
        return false;
    read_differences(before);
    ready++;
    make_exits(&smp_cpus[0]);
    return true;
}

static void compare(const u32 *before, const u32 *after)
{
    bool exact = true;

    for (u32 way = 0; way < ARRAY_SIZE(ways); way++) {
        u32 asked = way == 0 ? questions() : 0;

        if (is_first_of_reason(way) && after[way] - before[way] != asked) {
            exact = false;
            note("reason %u: %u too many", ways[way].reason, after[way] - before[way] - asked);
        }
    }
    tally_ok(exact, "the leaves count every exit of every CPU");
}

/* The test that reads the report finds these. CPUID last: only the end of the family asks after
 * that. */
static void note_what_was_done(void)
{
    for (u32 i = 1; i < smp_count; i++)
        for (u32 way = 0; way < ONLY_COUNTED; way++)
            if (is_first_of_reason(way))
                note("made: vcpu %u reason %u count %u", i, ways[way].reason,
                     did(ways[way].reason, &smp_cpus[i]));
    for (u32 way = ONLY_COUNTED; way-- > 0;)
        if (is_first_of_reason(way))
            note("made: all reason %u count %u", ways[way].reason,
                 reason_exits(ways[way].reason) +
                     (ways[way].reason == EXIT_CPUID ? FAMILY_END_CPUIDS : 0));
}

void test_exits(u32 count)
{
    u32 before[ARRAY_SIZE(ways)] = {0}, after[ARRAY_SIZE(ways)] = {0}, mistakes = 0;
    bool done;

    how_many = count;
    for (u32 i = 0; i < smp_count; i++)
        smp_cpus[i].mistakes = 0;
    done = run_at_once(before);
    for (u32 i = 1; i < smp_count; i++)
        while (done && smp_cpus[i].orders_done != smp_cpus[i].orders)
            ;
    read_differences(after);
    for (u32 i = 0; i < smp_count; i++)
        mistakes += smp_cpus[i].mistakes;
    ok(done, "all CPUs make exits at once");
    tally_ok(!mistakes, "the leaves only grow, on every CPU");
    compare(before, after);
    if (under_tally())
        note_what_was_done();
}
