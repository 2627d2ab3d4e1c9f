/* The formatter must agree with libc's for everything that it knows. */
#include "lib/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAME_AS_LIBC(...)                                                                          \
    do {                                                                                           \
        char expected[256], got[256];                                                              \
        int length = snprintf(expected, sizeof(expected), __VA_ARGS__);                            \
        assert_int_equal(format_string(got, sizeof(got), __VA_ARGS__), length);                    \
        assert_string_equal(got, expected);                                                        \
    } while (0)

static char sunk[256];
static size_t sunk_length;

static void sink(char c)
{
    assert_true(sunk_length + 1 < sizeof(sunk));
    sunk[sunk_length++] = c;
    sunk[sunk_length] = '\0';
}

static void text(void **state)
{
    (void)state;
    SAME_AS_LIBC("%s", "plain");
    SAME_AS_LIBC("plain, 100%%");
    SAME_AS_LIBC("[%8s][%-8s][%2s]", "text", "text", "text");
    SAME_AS_LIBC("[%.3s][%8.3s][%-8.3s][%.0s][%.9s]", "text", "text", "text", "text", "text");
    SAME_AS_LIBC("[%*s][%-*s][%.*s]", 9, "a", 9, "b", 2, "text");
    SAME_AS_LIBC("[%c][%3c][%-3c]", 'x', 'y', 'z');
    const char no_end[4] = {'f', 'o', 'u', 'r'};
    SAME_AS_LIBC("%.4s", no_end);
}

static void numbers(void **state)
{
    (void)state;
    static const u64 interesting[] = {0,           1,          9,          10,
                                      99,          0x7F,       0xFF,       0x7FFFFFFF,
                                      0x80000000,  0xFFFFFFFF, 1000000,    BIT(32),
                                      BIT(63) - 1, BIT(63),    UINT64_MAX, 12345678901234567890ull};
    for (unsigned i = 0; i < ARRAY_SIZE(interesting) * 64; i++) {
        u64 v = interesting[i / 64] >> i % 64;
        SAME_AS_LIBC("%u %x", (unsigned)v, (unsigned)v);
        SAME_AS_LIBC("%lu %lx %llu %llx", (unsigned long)v, (unsigned long)v, (unsigned long long)v,
                     (unsigned long long)v);
        SAME_AS_LIBC("[%12lu][%-12lu][%012lu][%*lu]", v, v, v, (int)(i % 30), v);
        SAME_AS_LIBC("[%12u][%-12u][%012u]", (unsigned)v, (unsigned)v, (unsigned)v);
        SAME_AS_LIBC("[%20lx][%016lx][%-20lx]", v, v, v);
        SAME_AS_LIBC("%zu", (size_t)v);
    }
}

static void a_short_buffer_is_respected(void **state)
{
    (void)state;
    char buffer[8];
    for (size_t size = 0; size <= 7; size++) {
        memset(buffer, '#', sizeof(buffer));
        assert_int_equal(format_string(buffer, size, "%u", 123456), 6);
        assert_int_equal(buffer[size], '#');
        if (size)
            assert_int_equal(strncmp(buffer, "123456", size - 1) || strlen(buffer) > 6, 0);
    }
}

static void lines_go_to_the_sink(void **state)
{
    (void)state;
    print_sink = sink;
    print("%s=%u ", "raw", 7);
    say("%u %s", 3, "bears");
    assert_string_equal(sunk, "raw=7 tally: 3 bears\n");
}

static void text_is_quoted_for_json(void **state)
{
    (void)state;
    print_sink = sink;
    sunk_length = 0;
    print_quoted("a \"b\" \\ \t\x80", 99);
    print_quoted("four letters", 4);
    assert_string_equal(sunk, "\"a \\\"b\\\" \\\\ ??\"\"four\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_short_buffer_is_respected),
        cmocka_unit_test(lines_go_to_the_sink),
        cmocka_unit_test(text_is_quoted_for_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
