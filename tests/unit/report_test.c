/* The report: its rows, its sums, its columns, and JSON that a parser takes. */
#include "stats/report.h"
#include "capture.h"
#include "stats/counters.h"
#include "stats/timeline.h"
#include "stats/window.h"

static struct statistics counters[2];
#define boot_cpu counters[0]
#define other_cpu counters[1]

static struct run_facts facts = {
    .vcpus = 2, .profile = PROFILE_ALL, .cpu = "A \"CPU\" \\ 1", .tsc_khz = 7, .version = "v"};

static int setup(void **state)
{
    (void)state;
    statistics = counters;
    run_facts = &facts;
    return 0;
}

static int clear(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        boot_cpu.reason[i] = other_cpu.reason[i] = NO_EXITS;
    boot_cpu.reason[EXIT_CPUID] = (struct reason_counter){1200, 98000, 60, 1234};
    other_cpu.reason[EXIT_CPUID] = (struct reason_counter){3, 765, 65, 500};
    boot_cpu.reason[EXIT_HLT] = (struct reason_counter){7, 900, 100, 200};
    boot_cpu.reason[EXIT_RDTSC] = (struct reason_counter){7, 900, 100, 200};
    boot_cpu.reason[EXIT_IO_INSTRUCTION] = (struct reason_counter){.count = 1, .min = ~0ull};
    capture_start();
    return 0;
}

static void line_is(unsigned n, const char *expected)
{
    const char *line = captured_line(n);
    if (!line)
        fail_msg("no line %u", n);
    assert_string_equal(line, expected);
}

static void the_table(void **state)
{
    (void)state;
    facts.report = REPORT_TABLE;
    report_print(99, NULL);
    line_is(0, "tally: exits 1218  cycles 100565  vcpus 2");
    line_is(1, "tally:   reason                            count  count%        cycles  cycles%"
               "      min     avg     max");
    line_is(2, "tally:     10 CPUID                         1203   98.8%         98765    98.2%"
               "       60      82    1234");
    line_is(3, "tally:     12 HLT                              7    0.6%           900     0.9%"
               "      100     129     200");
    line_is(4, "tally:     16 RDTSC                            7    0.6%           900     0.9%"
               "      100     129     200");
    line_is(5, "tally:     30 IO_INSTRUCTION                   1    0.1%             0     0.0%"
               "        0       0       0");
    line_is(6, "tally:        sum                           1218  100.0%        100565   100.0%"
               "       60      83    1234");
    assert_null(captured_line(7));
}

static void columns_hold_for_large_numbers(void **state)
{
    (void)state;
    boot_cpu.reason[EXIT_RDTSC] = (struct reason_counter){1ull << 63, 1ull << 63, 1, 1ull << 62};
    boot_cpu.reason[EXIT_REASONS] = (struct reason_counter){1ull << 62, 1ull << 60, 1, 9};
    facts.report = REPORT_TABLE;
    report_print(99, NULL);
    size_t length = strlen(captured_line(1));
    for (unsigned n = 2; captured_line(n); n++)
        assert_int_equal(strlen(captured_line(n)), length);
    assert_non_null(strstr(captured_line(2), "16 RDTSC "));
    assert_non_null(strstr(captured_line(2), " 9223372036854775808   66.7% "));
    assert_non_null(strstr(captured_line(3), "86 UNDEFINED "));
    assert_non_null(strstr(captured_line(3), " 4611686018427387904   33.3% "));
}

static void a_run_without_exits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        boot_cpu.reason[i] = other_cpu.reason[i] = NO_EXITS;
    facts.report = REPORT_TABLE;
    report_print(99, NULL);
    line_is(0, "tally: exits 0  cycles 0  vcpus 2");
    line_is(2, "tally:        sum                              0    0.0%             0     0.0%"
               "        0       0       0");
}

static void each_vcpu_has_a_block(void **state)
{
    (void)state;
    facts.report = REPORT_TABLE | REPORT_PER_CPU;
    report_print(99, NULL);
    line_is(7, "tally: vcpu 0  exits 1215  cycles 99800");
    line_is(14, "tally: vcpu 1  exits 3  cycles 765");
    assert_non_null(strstr(captured_line(16), " 10 CPUID "));
    line_is(17, "tally:        sum                              3  100.0%           765   100.0%"
                "       65     255     500");
    assert_null(captured_line(18));
}

static void json(void **state)
{
    (void)state;
    facts.report = REPORT_JSON;
    report_print(99, NULL);
    assert_non_null(strstr(captured_line(0), "{\"tally\":\"begin\",\"version\":\"v\",\"vcpus\":2"));
    assert_non_null(strstr(captured_line(0), "\",\"vcpus\":2,\"profile\":\"all\",\"cpu\":"
                                             "\"A \\\"CPU\\\" \\\\ 1\",\"tsc_khz\":7,\"tsc\":99}"));
    line_is(1, "{\"reason\":10,\"name\":\"CPUID\",\"count\":1203,\"cycles\":98765,\"min\":60,"
               "\"max\":1234}");
    line_is(4, "{\"reason\":30,\"name\":\"IO_INSTRUCTION\",\"count\":1,\"cycles\":0,\"min\":0,"
               "\"max\":0}");
    line_is(5, "{\"tally\":\"end\",\"exits\":1218,\"cycles\":100565}");
    assert_null(captured_line(6));
}

static void the_time_line_is_part_of_json(void **state)
{
    (void)state;
    static u64 buffer[512];
    timeline_log = (struct timeline_log *)buffer;
    timeline_init(sizeof(buffer), 1000);
    timeline_mark("here", 5);
    boot_cpu.reason[EXIT_EXCEPTION_NMI] = (struct reason_counter){1, 50, 50, 50};
    facts.report = REPORT_JSON;
    report_print(99, NULL);
    line_is(2, "{\"mark\":\"here\",\"tsc\":5}");
    assert_non_null(strstr(captured, "{\"reason\":0,\"name\":\"EXCEPTION_NMI\",\"count\":1,"));
    timeline_log = NULL;
}

static void json_rows_add_up_to_the_end_line(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_SLOTS; i++) {
        boot_cpu.reason[i] = (struct reason_counter){i * i % 97, i * 1000003ull, i, 9999};
        other_cpu.reason[i] = (struct reason_counter){(u64)i << 40, (u64)i << 50, i, 9999};
    }
    facts.report = REPORT_JSON | REPORT_PER_CPU;
    report_print(99, NULL);

    u64 count = 0, cycles = 0, of_vcpus = 0, last_count = ~0ull;
    unsigned n = 1;
    for (; captured_line(n); n++) {
        const char *line = captured_line(n);
        assert_json_object(line);
        if (strncmp(line, "{\"vcpu\":", 8) == 0) {
            of_vcpus += json_number(line, "count");
        } else if (strncmp(line, "{\"reason\":", 10) == 0) {
            assert_true(json_number(line, "count") <= last_count);
            last_count = json_number(line, "count");
            count += last_count;
            cycles += json_number(line, "cycles");
        }
    }
    const char *end = captured_line(n - 1);
    assert_true(json_number(end, "exits") == count);
    assert_true(json_number(end, "cycles") == cycles);
    assert_true(of_vcpus == count);
    assert_json_object(captured_line(0));
}

static void a_short_one_fits_a_screen(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXIT_REASONS; i++)
        boot_cpu.reason[i] = (struct reason_counter){(u64)1 << (i % 40), i, 1, ~0ull >> 1};
    facts.report = REPORT_JSON;
    report_print_short(18);
    unsigned n = 0;
    for (; captured_line(n); n++)
        assert_true(strlen(captured_line(n)) <= 80);
    assert_int_equal(n, 18);
    assert_non_null(strstr(captured_line(2), " 39 MONITOR "));
    assert_non_null(strstr(captured_line(17), "less frequent"));
    report_print_short(3);
    assert_non_null(strstr(captured_line(18), "exits "));
    assert_null(captured_line(19));
}

static void formats_are_as_asked(void **state)
{
    (void)state;
    facts.report = 0;
    report_print(99, NULL);
    assert_string_equal(captured, "");
    facts.report = REPORT_TABLE | REPORT_JSON;
    report_print(99, NULL);
    unsigned json_lines = 0;
    for (; strncmp(captured_line(json_lines), "{\"", 2) == 0; json_lines++)
        ;
    assert_int_equal(json_lines, 6);
    for (unsigned n = json_lines; captured_line(n); n++)
        assert_int_equal(strncmp(captured_line(n), "tally: ", 7), 0);
    assert_non_null(captured_line(12)); /* the table is whole, and behind the lines for programs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_table, clear),
        cmocka_unit_test_setup(columns_hold_for_large_numbers, clear),
        cmocka_unit_test_setup(a_run_without_exits, clear),
        cmocka_unit_test_setup(each_vcpu_has_a_block, clear),
        cmocka_unit_test_setup(json, clear),
        cmocka_unit_test_setup(the_time_line_is_part_of_json, clear),
        cmocka_unit_test_setup(json_rows_add_up_to_the_end_line, clear),
        cmocka_unit_test_setup(a_short_one_fits_a_screen, clear),
        cmocka_unit_test_setup(formats_are_as_asked, clear),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
