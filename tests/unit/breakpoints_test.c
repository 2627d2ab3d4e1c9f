// link: tests/unit/fake_vmcs*.c
/* Breakpoints over accesses that Tally makes: types, lengths, overlaps. */
#include "fake_vmcs.h"

#include "vmx/advance.h"

enum { EXECUTE, WRITE, PORT, ACCESS }; /* DR7's types */
enum { ONE, TWO, EIGHT, FOUR };        /* DR7's lengths */

#define ADDRESS 0x12340ull
#define ENABLED BIT(12)

static void set(unsigned number, unsigned type, unsigned length, bool global)
{
    fake_cpu.dr[number] = ADDRESS;
    fake_set(GUEST_DR7, DR7_FIXED | 1ull << (2 * number + global) | (u64)type << (16 + 4 * number) |
                            (u64)length << (18 + 4 * number));
}

static u64 pending(enum breakpoint_access access, u64 address, unsigned size)
{
    fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    match_breakpoints(access, address, size);
    return fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS);
}

static void types(void **state)
{
    (void)state;
    static const bool matches[4][3] = {
        /*            read   write  port */
        [EXECUTE] = {false, false, false},
        [WRITE] = {false, true, false},
        [PORT] = {false, false, true},
        [ACCESS] = {true, true, false},
    };
    for (unsigned number = 0; number < 4; number++) {
        for (unsigned type = EXECUTE; type <= ACCESS; type++) {
            fake_reset();
            fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_DE);
            set(number, type, ONE, number % 2);
            assert_true(breakpoints_enabled());
            for (unsigned access = BREAKPOINT_READ; access <= BREAKPOINT_PORT; access++)
                assert_int_equal(pending(access, ADDRESS, 1),
                                 matches[type][access] ? ENABLED | BIT(number) : 0);
        }
    }
}

static void ports_need_debug_extensions(void **state)
{
    (void)state;
    fake_reset();
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) & ~CR4_DE);
    fake_set(CR4_READ_SHADOW, fake_get(CR4_READ_SHADOW) & ~CR4_DE);
    set(0, PORT, ONE, false);
    assert_int_equal(pending(BREAKPOINT_PORT, ADDRESS, 1), 0);
}

static void disabled(void **state)
{
    (void)state;
    fake_reset();
    set(2, WRITE, ONE, false);
    fake_set(GUEST_DR7, fake_get(GUEST_DR7) & ~DR7_BREAKPOINTS);
    assert_false(breakpoints_enabled());
    assert_int_equal(pending(BREAKPOINT_WRITE, ADDRESS, 1), 0);
}

static void overlaps(void **state)
{
    (void)state;
    static const u8 bytes[] = {[ONE] = 1, [TWO] = 2, [EIGHT] = 8, [FOUR] = 4};
    fake_reset();
    for (unsigned length = ONE; length <= FOUR; length++) {
        for (unsigned size = 1; size <= 16; size++) {
            for (u64 at = ADDRESS - 20; at < ADDRESS + 20; at++) {
                set(1, WRITE, length, true);
                fake_cpu.dr[1] += bytes[length] - 1; /* the low bits do not count */
                bool hit = at < ADDRESS + bytes[length] && at + size > ADDRESS;
                assert_int_equal(pending(BREAKPOINT_WRITE, at, size), hit ? ENABLED | BIT(1) : 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(ports_need_debug_extensions),
        cmocka_unit_test(disabled),
        cmocka_unit_test(overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
