// The TSC's rate by the PIT, where there is one, and where its output never changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "platform/tsc.h"

#define PORT_B 0x61
#define OUT_2 0x20
#define LOOKS 100000 /* until the timer ends; by looks, so that a pause of this process is none */

static enum { STUCK_LOW, STUCK_HIGH, RUNS } timer;
static u32 looks;

u8 inb(u16 port)
{
    assert_int_equal(port, PORT_B);
    bool high = timer == RUNS ? ++looks > LOOKS : timer == STUCK_HIGH;
    return high ? OUT_2 : 0;
}

void outb(u16 port, u8 value)
{
    (void)value;
    if (port == 0x43)
        looks = 0;
}

static u32 measured(int kind)
{
    timer = kind;
    tsc_init();
    return tsc_khz;
}

static void by_the_timer(void **state)
{
    (void)state;
    assert_true(measured(RUNS) >= LOOKS / 10); /* a look takes a tick at least, the timer 10 ms */
    assert_true(looks > LOOKS);
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
