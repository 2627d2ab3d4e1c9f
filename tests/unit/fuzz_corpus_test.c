// What `make fuzz-host` has found worth keeping, run once more: tests/fuzz/corpus, or $CORPUS.
// docs/fuzz.md.
// link: tests/unit/exit_series.c tests/unit/random_source.c tests/unit/random_guest.c tests/unit/random_state.c
// link: tests/unit/exit_rules.c tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "exit_series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A packed file: before each series its length in two bytes, the lower one first. */
static u64 replay(FILE *file)
{
    static u8 bytes[0x10000];
    u64 count = 0;
    for (u8 length[2]; fread(length, 1, 2, file) == 2; count++) {
        size_t size = length[0] | length[1] << 8;
        assert_int_equal(fread(bytes, 1, size, file), size);
        series_run(bytes, size);
    }
    return count;
}

static void every_series_keeps_the_rules(void **state)
{
    (void)state;
    const char *name = getenv("CORPUS");
    FILE *file = fopen(name ? name : "tests/fuzz/corpus", "rb");
    assert_non_null(file);
    u64 series = replay(file), exits = 0;
    fclose(file);
    assert_true(series);
    for (unsigned profile = 0; profile < PROFILES; profile++)
        for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
            exits += series_count[profile][reason];
            if (!name && reason_is_defined(reason) && !series_count[profile][reason])
                fail_msg("no series has an exit by reason %u in profile %u", reason, profile);
        }
    printf("# %llu series, %llu exits, at most %u steps each\n", (unsigned long long)series,
           (unsigned long long)exits, series_most_steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_series_keeps_the_rules),
    };
    return cmocka_run_group_tests_name("Series of exits that fuzzing has found", tests, NULL, NULL);
}
