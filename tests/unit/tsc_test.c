// The TSC's rate by the PIT, where there is one, and where its output never changes.
// link: hv/platform/tsc.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "platform/tsc.h"
#include "x86/instructions.h"

#define PORT_B 0x61
#define OUT_2 0x20
#define TIMER_TICKS 20000000 /* of the TSC, until the timer ends */

static enum { STUCK_LOW, STUCK_HIGH, RUNS } timer;
static u64 started;

u8 inb(u16 port)
{
    assert_int_equal(port, PORT_B);
    bool high = timer == RUNS ? rdtsc() - started > TIMER_TICKS : timer == STUCK_HIGH;
    return high ? OUT_2 : 0;
}

void outb(u16 port, u8 value)
{
    (void)value;
    if (port == 0x43)
        started = rdtsc();
}

static u32 measured(int kind)
{
    timer = kind;
    tsc_init();
    return tsc_khz();
}

static void by_the_timer(void **state)
{
    (void)state;
    assert_true(measured(RUNS) >= TIMER_TICKS / 10); /* 10 ms */
}

/* What CPUID says, and not how long the first look at the timer took. */
static void without_a_timer(void **state)
{
    (void)state;
    u32 khz = measured(STUCK_LOW);
    assert_int_equal(measured(STUCK_HIGH), khz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_timer),
        cmocka_unit_test(without_a_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
