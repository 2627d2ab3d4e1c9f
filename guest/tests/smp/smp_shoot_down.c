/* A page is mapped elsewhere: the other CPUs are told to forget the old translation. */
#include "kernel/memory.h"
#include "kernel/smp_apic.h"
#include "tests/smp/smp_tests.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define ROUNDS 50

extern u64 page_directories[4 * 512]; /* kernel/memory.c */
static u64 table[512] __attribute__((aligned(4096)));
static volatile u32 frames[2][1024] __attribute__((aligned(4096)));
static volatile u32 expected;

#define SHARED_PAGE (WINDOW - (u32)PAGE_2M)
#define PAGE_FLAGS 7 /* present, writable, user */

static volatile u32 *shared_page(void)
{
    return (volatile u32 *)(u64)SHARED_PAGE;
}

void smp_on_shoot_down(struct trap_frame *frame)
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

void smp_test_shoot_downs(void)
{
    bool passed;

    smp_forget();
    table[0] = (u64)frames[0] | PAGE_FLAGS;
    page_directories[SHARED_PAGE / PAGE_2M] = (u64)table | PAGE_FLAGS;
    write_cr3(read_cr3());
    passed = smp_everywhere(look_at_page);
    for (u32 round = 1; round <= ROUNDS; round++)
        passed &= shoot_down(round);
    ok(passed, "no CPU sees an old translation after a shoot-down");
}
