/* More than one CPU: start and stop, interrupts and NMIs between them, shoot-downs. */
#include "families.h"
#include "memory.h"
#include "smp.h"
#include "smp_apic.h"
#include "smp_cost.h"
#include "smp_exits.h"
#include "statistics.h"
#include "tap.h"
#include "x86/instructions.h"
#include "x86/registers.h"

#define ROUNDS 50
#define RESTARTS 3

static void on_call(struct trap_frame *frame)
{
    (void)frame;
    this_cpu()->calls++;
    apic_end_of_interrupt();
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    this_cpu()->nmis++;
}

static void forget(void)
{
    for (u32 i = 0; i < smp_count; i++)
        smp_cpus[i].calls = smp_cpus[i].nmis = smp_cpus[i].mistakes = 0;
}

static bool all_have(u32 calls, u32 nmis)
{
    bool have = true;

    smp_linger();
    for (u32 i = 0; i < smp_count; i++)
        have &= smp_cpus[i].calls == calls && smp_cpus[i].nmis == nmis;
    return have;
}

/* ---- Start and stop ---- */

static bool found_after_init(void)
{
    const struct smp_first *f = smp_found();

    return !f->eax && f->cs == 0x600 && f->eflags == RFLAGS_FIXED &&
           (f->cr0 & ~(u32)(CR0_CD | CR0_NW)) == CR0_ET && !f->cr4 && !f->dr0 && !f->efer;
}

static void leave_traces(struct cpu *self)
{
    write_dr0(0x1000 + self->index);
}

static bool restart(struct cpu *cpu, void (*busy)(struct cpu *self))
{
    u32 starts = cpu->starts;

    smp_order(cpu, leave_traces);
    smp_done(cpu);
    if (busy) {
        smp_order(cpu, busy);
        smp_linger();
    }
    return smp_start_one(cpu) && cpu->starts == starts + 1 && found_after_init();
}

static void test_restarts(const char *what, void (*busy)(struct cpu *self))
{
    bool passed = true;

    for (u32 round = 0; round < RESTARTS; round++)
        for (u32 i = 1; i < smp_count; i++)
            passed &= restart(&smp_cpus[i], busy);
    ok(passed, "INIT and SIPI start a CPU that %s again, as after a reset, %u times", what,
       RESTARTS);
}

static void count_for_ever(struct cpu *self)
{
    for (;;)
        self->argument++;
}

static void test_sipi_to_running_cpu(void)
{
    bool ignored = true;

    for (u32 i = 1; i < smp_count; i++) {
        struct cpu *cpu = &smp_cpus[i];
        u32 starts = cpu->starts;

        smp_send_sipi(cpu);
        smp_linger();
        smp_order(cpu, leave_traces);
        ignored &= smp_done(cpu) && cpu->starts == starts;
    }
    ok(ignored, "a SIPI to a running CPU is ignored");
}

/* ---- Interrupts ---- */

static void call_others_by_one(struct cpu *self)
{
    for (u32 i = 0; i < smp_count; i++)
        if (&smp_cpus[i] != self)
            smp_send_call(&smp_cpus[i]);
}

static void call_all_others(struct cpu *self)
{
    (void)self;
    smp_send_others(VECTOR_CALL);
}

/* The first `callers` CPUs have called all others: whether each has had all these calls. */
static bool all_called(u32 callers)
{
    bool called = true;

    for (u32 i = 0; i < smp_count; i++)
        called &= smp_wait(&smp_cpus[i].calls, callers - (i < callers));
    return called;
}

/* Each CPU in its turn, so that no two interrupts merge. */
static bool each_calls(void (*call)(struct cpu *self))
{
    bool arrived = true;

    forget();
    for (u32 i = 0; i < smp_count; i++) {
        if (i == 0)
            call(&smp_cpus[0]);
        else {
            smp_order(&smp_cpus[i], call);
            arrived &= smp_done(&smp_cpus[i]);
        }
        arrived &= all_called(i + 1);
    }
    return arrived & all_have(smp_count - 1, 0);
}

static void test_calls(void)
{
    ok(each_calls(call_others_by_one), "an interrupt from each CPU to each other arrives once");
    ok(each_calls(call_all_others), "so does one from each CPU to all others");
}

static bool wake_by_call(struct cpu *cpu)
{
    for (u32 round = 1; round <= ROUNDS; round++) {
        smp_order(cpu, smp_sleep);
        smp_linger();
        cpu->leave = true;
        smp_send_call(cpu);
        if (!smp_done(cpu) || cpu->calls != round)
            return false;
    }
    return true;
}

static void test_sleepers(void)
{
    bool woken = true;

    forget();
    for (u32 i = 1; i < smp_count; i++)
        woken &= wake_by_call(&smp_cpus[i]);
    ok(woken, "an interrupt wakes a halted CPU");
}

/* ---- NMIs ---- */

static void stay_busy(struct cpu *self)
{
    while (!self->leave)
        make_exit(self);
}

static void stay_idle(struct cpu *self)
{
    cli();
    while (!self->leave)
        ;
    sti();
}

static bool each_nmi_arrives(struct cpu *cpu, void (*order)(struct cpu *self))
{
    smp_order(cpu, order);
    for (u32 round = 1; round <= ROUNDS; round++) {
        smp_linger();
        cpu->leave = round == ROUNDS; /* the last one ends it */
        smp_send_nmi(cpu);
        if (!smp_wait(&cpu->nmis, round))
            return false;
    }
    smp_linger();
    return smp_done(cpu) && cpu->nmis == ROUNDS;
}

static void test_nmis(const char *what, void (*order)(struct cpu *self))
{
    bool arrive = true;

    forget();
    for (u32 i = 1; i < smp_count; i++)
        arrive &= each_nmi_arrives(&smp_cpus[i], order);
    ok(arrive, "each of %u NMIs arrives once at a CPU that %s", ROUNDS, what);
}

static void send_nmi_to_boot_cpu(struct cpu *self)
{
    (void)self;
    smp_send_nmi(&smp_cpus[0]);
}

static void test_nmis_to_boot_cpu(void)
{
    bool arrive = true;

    forget();
    for (u32 i = 1; i < smp_count; i++) {
        smp_order(&smp_cpus[i], send_nmi_to_boot_cpu);
        arrive &= smp_wait(&smp_cpus[0].nmis, i);
    }
    ok(arrive, "so does one from each to the boot CPU");
}

/* ---- Shoot-downs ---- */

extern u64 page_directories[4 * 512]; /* boot.asm */
static u64 table[512] __attribute__((aligned(4096)));
static volatile u32 frames[2][1024] __attribute__((aligned(4096)));
static volatile u32 expected;

#define SHARED_PAGE (WINDOW - (u32)PAGE_2M)
#define PAGE_FLAGS 7 /* present, writable, user */

static volatile u32 *shared_page(void)
{
    return (volatile u32 *)(u64)SHARED_PAGE;
}

static void on_shoot_down(struct trap_frame *frame)
{
    struct cpu *self = this_cpu();

    (void)frame;
    invlpg(SHARED_PAGE);
    self->mistakes += *shared_page() != expected;
    self->shot_down++;
    apic_end_of_interrupt();
}

static void look_at_page(struct cpu *self)
{
    (void)*shared_page();
    self->shot_down = 0;
}

static bool shoot_down(u32 round)
{
    bool done = true;

    frames[round % 2][0] = round;
    expected = round;
    table[0] = (u64)frames[round % 2] | PAGE_FLAGS;
    invlpg(SHARED_PAGE);
    smp_send_others(VECTOR_SHOOT_DOWN);
    for (u32 i = 1; i < smp_count; i++)
        done &= smp_wait(&smp_cpus[i].shot_down, round) && !smp_cpus[i].mistakes;
    return done & (*shared_page() == round);
}

static void test_shoot_downs(void)
{
    bool passed;

    forget();
    table[0] = (u64)frames[0] | PAGE_FLAGS;
    page_directories[SHARED_PAGE / PAGE_2M] = (u64)table | PAGE_FLAGS;
    write_cr3(read_cr3());
    passed = smp_everywhere(look_at_page);
    for (u32 round = 1; round <= ROUNDS; round++)
        passed &= shoot_down(round);
    ok(passed, "no CPU sees an old translation after a shoot-down");
}

/* ---- The families ---- */

static bool begin(void)
{
    set_interrupt_handler(VECTOR_CALL, on_call);
    set_interrupt_handler(VECTOR_SHOOT_DOWN, on_shoot_down);
    set_interrupt_handler(VECTOR_NMI, on_nmi);
    smp_exits_init();
    smp_start_all();
    sti(); /* who waits for another CPU lets a hypervisor below run it */
    return smp_count > 1;
}

static void end(void)
{
    cli();
    set_interrupt_handler(VECTOR_CALL, NULL);
    set_interrupt_handler(VECTOR_SHOOT_DOWN, NULL);
    set_interrupt_handler(VECTOR_NMI, NULL);
}

static void test_all(void)
{
    ok(found_after_init(), "a CPU starts in real mode as after a reset");
    tally_ok(!under_tally() || smp_count == cpuid(LEAF_INFO, 0).ebx, "all CPUs of Tally's");
    test_sipi_to_running_cpu();
    test_calls();
    test_sleepers();
    test_nmis("spins", stay_idle);
    test_nmis("makes exits", stay_busy);
    test_nmis("is halted", smp_sleep);
    test_nmis("is halted with interrupts off", smp_park);
    test_nmis_to_boot_cpu();
    test_shoot_downs();
    test_restarts("waits", NULL);
    test_restarts("counts", count_for_ever);
    test_restarts("is halted", smp_sleep);
    test_restarts("is halted with interrupts off", smp_park);
    ok(smp_start_all(), "all start again at once");
    test_exits(20000);
}

void test_smp(void)
{
    if (begin())
        test_all();
    else
        skip("one CPU", "other CPUs");
    end();
}

void test_smp_x2apic(void)
{
    if (!apic_has_x2apic())
        skip("no x2APIC", "x2APIC");
    else if (begin()) {
        smp_use_x2apic();
        test_all();
    }
    end();
}

/* Much longer, and nothing else. */
void test_smp_exits(void)
{
    if (begin())
        test_exits(500000);
    end();
}

/* What an exit costs when all CPUs make them; one CPU will do. */
void test_smp_cost(void)
{
    begin();
    measure_exits_at_once();
    ok(true, "measured");
    end();
}

/* ---- Ends of a run, each by another CPU while the others make exits ---- */

static void exit_for_ever(struct cpu *self)
{
    for (;;)
        make_exit(self);
}

static void reset_machine(struct cpu *self)
{
    (void)self;
    for (u32 i = 0; i < 20; i++)
        smp_linger();
    outb(0x64, 0xFE);
    for (;;)
        hlt();
}

static void halt(struct cpu *self)
{
    (void)self;
    for (;;) {
        cli();
        hlt();
    }
}

static void init_boot_cpu(struct cpu *self)
{
    (void)self;
    smp_linger();
    smp_send_init(&smp_cpus[0]);
    for (;;)
        ;
}

static void end_run(const char *how, void (*last)(struct cpu *self),
                    void (*others)(struct cpu *self))
{
    if (!begin())
        return;
    note("the run ends: %s", how);
    for (u32 i = 1; i < smp_count; i++)
        smp_order(&smp_cpus[i], i == smp_count - 1 ? last : others);
    others(&smp_cpus[0]);
}

void test_smp_reset(void)
{
    end_run("a CPU resets the machine", reset_machine, exit_for_ever);
}

void test_smp_halt(void)
{
    end_run("all CPUs are halted", halt, halt);
}

void test_smp_init(void)
{
    end_run("a CPU sends INIT to the boot CPU", init_boot_cpu, count_for_ever);
}
