/* The time line: what is noted when, what comes out, and what happens when it is full. */
#include "stats/timeline.h"
#include "capture.h"
#include "stats/counters.h"
#include "stats/window.h"

static struct run_facts facts = {.start_tsc = 1000000, .vcpus = 2};

#define START 1000000ull
#define INTERVAL 1000

static struct statistics counters[2];
#define boot_cpu counters[0]
#define other_cpu counters[1]
static u64 buffer[1 << 13];

static int setup(void **state)
{
    (void)state;
    statistics = counters;
    run_facts = &facts;
    timeline_log = (struct timeline_log *)buffer;
    return 0;
}

static int begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        boot_cpu.reason[i] = other_cpu.reason[i] = NO_EXITS;
    timeline_init(sizeof(buffer), INTERVAL);
    capture_start();
    return 0;
}

static void printed(const char *expected)
{
    capture_start();
    timeline_print();
    assert_string_equal(captured, expected);
}

static void off_until_it_is_started(void **state)
{
    (void)state;
    timeline_sample(START);
    timeline_sample(~0ull - 1);
    assert_int_equal(timeline_count_mark(), 0);
    timeline_end(START);
    printed("");
}

static void samples_keep_to_the_interval(void **state)
{
    (void)state;
    boot_cpu.reason[EXIT_CPUID].count = 1;
    timeline_sample(START + 5); /* the first exit */
    timeline_sample(START + 999);
    boot_cpu.reason[EXIT_CPUID].count = 300;
    other_cpu.reason[EXIT_CPUID].count = 40;
    other_cpu.reason[EXIT_HLT].count = 1ull << 40;
    timeline_sample(START + 1700); /* late: the next is due at 2000 all the same */
    timeline_sample(START + 1999);
    other_cpu.reason[EXIT_REASONS].count = 1;
    timeline_sample(START + 2000);
    timeline_sample(START + 9000); /* nothing new */
    printed("{\"sample\":0,\"tsc\":5,\"more\":{\"10\":1}}\n"
            "{\"sample\":1,\"tsc\":1700,\"more\":{\"10\":339,\"12\":1099511627776}}\n"
            "{\"sample\":2,\"tsc\":2000,\"more\":{\"86\":1}}\n"
            "{\"sample\":3,\"tsc\":9000,\"more\":{}}\n");
}

/* Under a firmware the others are guests before the boot CPU is. */
static void an_exit_before_the_start_is_at_the_start(void **state)
{
    (void)state;
    other_cpu.reason[EXIT_CPUID].count = 1;
    timeline_sample(START - 405);
    boot_cpu.reason[EXIT_CPUID].count = 2;
    timeline_sample(START + 1700);
    printed("{\"sample\":0,\"tsc\":0,\"more\":{\"10\":1}}\n"
            "{\"sample\":1,\"tsc\":1700,\"more\":{\"10\":2}}\n");
}

static void printing_again_prints_the_same(void **state)
{
    (void)state;
    boot_cpu.reason[EXIT_CPUID].count = 2;
    timeline_sample(START);
    printed("{\"sample\":0,\"tsc\":0,\"more\":{\"10\":2}}\n");
    printed("{\"sample\":0,\"tsc\":0,\"more\":{\"10\":2}}\n");
}

static void marks(void **state)
{
    (void)state;
    const char no_end[MARK_NAME] = {'s', 'i', 'x', 't', 'e', 'e', 'n', ' ',
                                    'l', 'e', 't', 't', 'e', 'r', 's', '!'};
    assert_int_equal(timeline_count_mark(), 1);
    assert_int_equal(timeline_count_mark(), 2);
    boot_cpu.reason[EXIT_CPUID].count = 7;
    timeline_mark("kernel", START + 10);
    timeline_sample(START + 20);
    timeline_mark(no_end, START + 30);
    timeline_mark("", START + 25); /* another CPU, another clock */
    timeline_mark("\"\\\n\xFF", START + 40);
    boot_cpu.reason[EXIT_CPUID].count = 9;
    timeline_end(START + 50);
    printed("{\"sample\":0,\"tsc\":10,\"more\":{\"10\":7}}\n"
            "{\"mark\":\"kernel\",\"tsc\":10}\n"
            "{\"sample\":1,\"tsc\":20,\"more\":{}}\n"
            "{\"sample\":2,\"tsc\":30,\"more\":{}}\n"
            "{\"mark\":\"sixteen letters!\",\"tsc\":30}\n"
            "{\"sample\":3,\"tsc\":30,\"more\":{}}\n"
            "{\"mark\":\"\",\"tsc\":30}\n"
            "{\"sample\":4,\"tsc\":40,\"more\":{}}\n"
            "{\"mark\":\"\\\"\\\\??\",\"tsc\":40}\n"
            "{\"sample\":5,\"tsc\":50,\"more\":{\"10\":2}}\n");
}

static void a_full_buffer_keeps_the_beginning(void **state)
{
    (void)state;
    unsigned samples = 0, lines = 0;
    timeline_init(1200 + sizeof(struct timeline_log), INTERVAL);
    for (; samples < 500; samples++) {
        boot_cpu.reason[EXIT_CPUID].count += 1000;
        timeline_sample(START + samples * INTERVAL);
    }
    timeline_mark("late", START + 600000);

    capture_start();
    timeline_print();
    while (captured_line(lines + 1)) {
        const char *line = captured_line(lines);
        assert_json_object(line);
        assert_int_equal(json_number(line, "sample"), lines);
        assert_int_equal(json_number(line, "tsc"), lines * INTERVAL);
        assert_int_equal(json_number(line, "10"), 1000);
        lines++;
    }
    char expected[100];
    snprintf(expected, sizeof(expected), "{\"timeline\":\"full\",\"tsc\":%u,\"lost\":%u}",
             lines * INTERVAL, samples - lines + 2);
    assert_string_equal(captured_line(lines), expected);
    assert_true(lines > 20);
}

static void a_buffer_is_never_overrun(void **state)
{
    (void)state;
    for (size_t size = sizeof(struct timeline_log); size < 3000; size += 7) {
        void *heap = malloc(size); /* watched by the address sanitizer */
        timeline_log = heap;
        timeline_init(size, INTERVAL);
        for (unsigned sample = 0; sample < 10; sample++) {
            for (unsigned i = 0; i < REASON_SLOTS; i++)
                boot_cpu.reason[i].count += 1ull << 60;
            timeline_sample(START + ((u64)sample << 60));
            timeline_mark("sixteen letters!", START);
        }
        capture_start();
        timeline_print();
        for (unsigned n = 0; captured_line(n); n++)
            assert_json_object(captured_line(n));
        free(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_until_it_is_started),
        cmocka_unit_test_setup(samples_keep_to_the_interval, begin),
        cmocka_unit_test_setup(an_exit_before_the_start_is_at_the_start, begin),
        cmocka_unit_test_setup(printing_again_prints_the_same, begin),
        cmocka_unit_test_setup(marks, begin),
        cmocka_unit_test_setup(a_full_buffer_keeps_the_beginning, begin),
        cmocka_unit_test_setup(a_buffer_is_never_overrun, begin),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
