/* Tally's own string functions, under other names beside libc's. */
#define memcpy tally_memcpy
#define memmove tally_memmove
#define memset tally_memset
#define memcmp tally_memcmp
#define strlen tally_strlen
#define strncmp tally_strncmp
#define strchr tally_strchr
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strncmp
#undef strchr

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void copies(void **state)
{
    (void)state;
    static const char letters[] = "abcdefghijklmnop";
    for (size_t to = 0; to < 8; to++)
        for (size_t from = 0; from < 8; from++)
            for (size_t size = 0; size <= 8; size++) {
                char ours[sizeof(letters)], theirs[sizeof(letters)];
                memcpy(ours, letters, sizeof(letters));
                memcpy(theirs, letters, sizeof(letters));
                assert_ptr_equal(tally_memmove(ours + to, ours + from, size), ours + to);
                memmove(theirs + to, theirs + from, size);
                assert_memory_equal(ours, theirs, sizeof(letters));

                assert_ptr_equal(tally_memcpy(ours + to, letters + from, size), ours + to);
                memcpy(theirs + to, letters + from, size);
                assert_memory_equal(ours, theirs, sizeof(letters));
            }
}

static void fills(void **state)
{
    (void)state;
    char buffer[4] = "...";
    assert_ptr_equal(tally_memset(buffer + 1, 0x141, 2), buffer + 1);
    assert_string_equal(buffer, ".AA");
}

static void compares(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\x80", "\xff"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        assert_int_equal(tally_strlen(words[i]), strlen(words[i]));
        for (unsigned j = 0; j < ARRAY_SIZE(words); j++) {
            const char *a = words[i], *b = words[j];
            for (size_t size = 0; size < 5; size++)
                assert_int_equal(sign(tally_strncmp(a, b, size)), sign(strncmp(a, b, size)));
            size_t both = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
            assert_int_equal(sign(tally_memcmp(a, b, both)), sign(memcmp(a, b, both)));
        }
    }
}

static void finds(void **state)
{
    (void)state;
    const char *s = "key=value=";
    assert_ptr_equal(tally_strchr(s, '='), s + 3);
    assert_ptr_equal(tally_strchr(s, '\0'), s + 10);
    assert_null(tally_strchr(s, 'z'));
}

static void sums(void **state)
{
    (void)state;
    static const u8 bytes[] = {200, 55, 1, 7};
    assert_true(sums_to_zero(bytes, 0));
    assert_false(sums_to_zero(bytes, 2));
    assert_true(sums_to_zero(bytes, 3));
    assert_false(sums_to_zero(bytes, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies), cmocka_unit_test(fills), cmocka_unit_test(compares),
        cmocka_unit_test(finds),  cmocka_unit_test(sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
