/* What a run leaves in memory is shown by the next start if all of it checks, and else not at all.
 */
#include "exits/entry.h"
#include "host/paging.h"
#include "lib/print.h"
#include "platform/console.h"
#include "stats/counters.h"
#include "stats/report.h"
#include "stats/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RAM_END (64 * MIB)
#define PLACE (RAM_END - PAGE_2M - PAGE_SIZE)

static u8 page[PAGE_SIZE], empty[PAGE_SIZE];
static struct statistics two_cpus[2];
static struct run_facts facts;
static struct memory_map map;
static char said[4096];
static u64 place = PLACE;

void *physical(u64 address)
{
    return address == place ? page : empty;
}

bool screen_cuts;

unsigned console_screen_alone(void)
{
    return 0;
}

static unsigned written_back;

void wbinvd(void)
{
    u64 mark;
    memcpy(&mark, page, sizeof(mark));
    assert_int_not_equal(mark, 0xAAAAAAAAAAAAAAAA); /* all of it is there by then */
    written_back++;
}

static void sink(char c)
{
    size_t length = strlen(said);
    assert_true(length + 1 < sizeof(said));
    said[length] = c;
    said[length + 1] = 0;
}

static int run_of_two_cpus(void **state)
{
    (void)state;
    print_sink = sink;
    place = PLACE;
    map.count = 0;
    memory_map_add(&map, MIB, RAM_END - MIB, MEMORY_RAM);
    facts = (struct run_facts){
        .vcpus = 2, .profile = PROFILE_ALL, .report = REPORT_TABLE, .version = TALLY_VERSION};
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        statistics_clear(&two_cpus[cpu]);
        two_cpus[cpu].reason[10] = (struct reason_counter){100, 5000, 20 + cpu, 90};
    }
    two_cpus[1].reason[30] = (struct reason_counter){7, 70, 10, 10};
    run_facts = &facts;
    statistics = two_cpus;
    memset(page, 0xAA, sizeof(page));
    last_run_init(page);
    written_back = 0;
    last_run_keep("power-off");
    assert_int_equal(written_back, 1); /* a reset may throw the caches away */
    return 0;
}

static const char *shown(void)
{
    said[0] = 0;
    last_run_show(&map);
    return said;
}

static void the_sums_of_all_cpus_are_shown(void **state)
{
    (void)state;
    assert_non_null(
        strstr(shown(), "tally: the last run (CPUs: 2, exits=all) ended by: power-off\n"));
    assert_non_null(strstr(said, "tally: exits 207  cycles 10070  vcpus 1\n"));
    assert_non_null(strstr(said, " 10 CPUID                          200 "));
    assert_non_null(strstr(said, " 30 IO_INSTRUCTION                   7 "));
}

static void a_changed_byte_hides_it(void **state)
{
    (void)state;
    u32 length;
    memcpy(&length, page + 8, sizeof(length));
    for (u32 i = 0; i < 16 + length; i++) {
        page[i] ^= 0x10;
        assert_non_null(strstr(shown(), "tally: no last run is in memory"));
        assert_null(strstr(said, "ended by"));
        page[i] ^= 0x10;
    }
    assert_non_null(strstr(shown(), "ended by"));
    page[16 + length] ^= 0x10;
    assert_non_null(strstr(shown(), "ended by"));
}

/* A mark that is none's: what follows is not believed, and nothing behind the page is read. */
static void a_length_beyond_the_page_hides_it(void **state)
{
    (void)state;
    u32 length, row = sizeof(u64) + sizeof(struct reason_counter);
    memcpy(&length, page + 8, sizeof(length));
    length += 1000 * row;
    memcpy(page + 8, &length, sizeof(length));
    assert_non_null(strstr(shown(), "no last run"));
}

static void an_unknown_profile_hides_it(void **state)
{
    (void)state;
    facts.profile = PROFILE_ALL + 1;
    run_facts = &facts;
    statistics = two_cpus;
    last_run_keep("reset");
    assert_non_null(strstr(shown(), "no last run"));
}

static void another_build_is_named_alone(void **state)
{
    (void)state;
    strcpy(facts.version, "0.9");
    run_facts = &facts;
    statistics = two_cpus;
    last_run_keep("reset");
    assert_string_equal(
        shown(), "tally: the last run in memory is one of Tally 0.9, and only that shows it\n");
}

static void it_is_looked_for_in_ram_alone(void **state)
{
    (void)state;
    memory_map_set(&map, PLACE, PAGE_SIZE, MEMORY_RESERVED);
    assert_non_null(strstr(shown(), "no last run"));
    place = RAM_END + PAGE_2M - PAGE_SIZE;
    assert_non_null(strstr(shown(), "no last run"));
    place = 2 * MIB - PAGE_SIZE;
    assert_non_null(strstr(shown(), "ended by"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_sums_of_all_cpus_are_shown, run_of_two_cpus),
        cmocka_unit_test_setup(a_changed_byte_hides_it, run_of_two_cpus),
        cmocka_unit_test_setup(a_length_beyond_the_page_hides_it, run_of_two_cpus),
        cmocka_unit_test_setup(an_unknown_profile_hides_it, run_of_two_cpus),
        cmocka_unit_test_setup(another_build_is_named_alone, run_of_two_cpus),
        cmocka_unit_test_setup(it_is_looked_for_in_ram_alone, run_of_two_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
