/* Tally's command line: what each word does, and one clear line for every mistake. */
#include "options.h"
#include "stats/report.h"
#include "tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORDS                                                                                      \
    "exits= stats= msr= announce= caps last cpus= end= sample= sites= trace= split= marks= boot="

static struct options parse(const char *command_line)
{
    struct options options;
    const char *problem = options_parse(&options, command_line);
    if (problem)
        fail_msg("'%s' refused: %s", command_line, problem);
    return options;
}

static void refused(const char *command_line, const char *message)
{
    struct options options;
    assert_string_equal(options_parse(&options, command_line), message);
}

static void defaults_hold(void **state)
{
    (void)state;
    static const char *const empty[] = {"", " ", " \t\n "};
    for (unsigned i = 0; i < ARRAY_SIZE(empty); i++) {
        struct options o = parse(empty[i]);
        assert_int_equal(o.profile, PROFILE_KVM);
        assert_int_equal(o.report, REPORT_TABLE);
        assert_true(o.announce);
        assert_false(o.caps);
        assert_int_equal(o.cpus, 0);
        assert_int_equal(o.end, 0);
        assert_int_equal(o.sample_ms, 0);
        assert_int_equal(o.marks, 0);
    }
}

static void every_word_is_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("exits=minimal").profile, PROFILE_MINIMAL);
    assert_int_equal(parse("exits=kvm").profile, PROFILE_KVM);
    assert_int_equal(parse("exits=all").profile, PROFILE_ALL);
    assert_int_equal(parse("stats=none").report, 0);
    assert_int_equal(parse("stats=json").report, REPORT_JSON);
    assert_int_equal(parse("stats=table,json").report, REPORT_TABLE | REPORT_JSON);
    assert_int_equal(parse("stats=json,percpu").report, REPORT_JSON | REPORT_PER_CPU);
    assert_int_equal(parse("stats=percpu").report, REPORT_TABLE | REPORT_PER_CPU);
    assert_false(parse("announce=no").announce);
    assert_true(parse("announce=yes").announce);
    assert_true(parse("split=yes").split);
    assert_false(parse("").split);
    assert_true(parse("caps").caps);
    assert_true(parse("last").last);
    assert_int_equal(parse("marks=port80").marks, MARK_POSTS);
    assert_int_equal(parse("cpus=1").cpus, 1);
    assert_int_equal(parse("cpus=90").cpus, 90);
    assert_int_equal(parse("cpus=065535").cpus, 65535);
    assert_int_equal(parse("end=1000000").end, 1000000);
    assert_int_equal(parse("sample=60000").sample_ms, 60000);
    assert_int_equal(parse("sites=on").sites, DEFAULT_SITES);
    assert_int_equal(parse("sites=512,user").sites, 512 | SITES_USER_RIPS);
    assert_int_equal(parse("trace=16,last").trace, 16 | TRACE_LAST);
    assert_int_equal(parse("").boot, 0);
    assert_int_equal(parse("boot=next").boot, BOOT_NEXT);
    assert_int_equal(parse("boot=disk:0").boot, BOOT_DISK);
    assert_int_equal(parse("boot=disk:9").boot, BOOT_DISK + 9);
    assert_int_equal(parse("stats=json,percpu,json").report, REPORT_JSON | REPORT_PER_CPU);
    assert_int_equal(parse("sites=user,512,user").sites, 512 | SITES_USER_RIPS);

    struct options o = parse("    exits=all\tstats=json caps  cpus=2 ");
    assert_int_equal(o.profile, PROFILE_ALL);
    assert_int_equal(o.report, REPORT_JSON);
    assert_true(o.caps);
    assert_int_equal(o.cpus, 2);
}

static void the_last_one_holds(void **state)
{
    (void)state;
    assert_int_equal(parse("exits=all exits=minimal").profile, PROFILE_MINIMAL);
    assert_int_equal(parse("stats=json stats=none").report, 0);
    assert_int_equal(parse("sites=512 sites=user").sites, SITES_USER_RIPS);
    assert_int_equal(parse("cpus=3 cpus=4").cpus, 4);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refused("exit", "unknown option 'exit': valid are " WORDS);
    refused("exit=all", "unknown option 'exit=all': valid are " WORDS);
    refused("EXITS=all", "unknown option 'EXITS=all': valid are " WORDS);
    refused("=", "unknown option '=': valid are " WORDS);
    refused("caps exits", "unknown option 'exits': valid are " WORDS);
    refused("caps=yes", "unknown option 'caps=yes': valid are " WORDS);
    refused("caps tally/tally.elf", "unknown option 'tally/tally.elf': valid are " WORDS);
    refused("exits=foo", "exits=foo: valid are minimal, kvm, all");
    refused("exits=", "exits=: valid are minimal, kvm, all");
    refused("exits=kvm,all", "exits=kvm,all: valid are minimal, kvm, all");
    refused("exits=all=all", "exits=all=all: valid are minimal, kvm, all");
    refused("exits=al", "exits=al: valid are minimal, kvm, all");
    refused("exits=alle", "exits=alle: valid are minimal, kvm, all");
    refused("stats=", "stats=: valid are table, json, none, percpu");
    refused("stats=table,", "stats=table,: valid are table, json, none, percpu");
    refused("stats=table,,json", "stats=table,,json: valid are table, json, none, percpu");
    refused("announce=1", "announce=1: valid are yes, no");
    refused("cpus=", "cpus=: valid are 0 to 65535");
    refused("cpus=65536", "cpus=65536: valid are 0 to 65535");
    refused("cpus=4294967297", "cpus=4294967297: valid are 0 to 65535");
    refused("cpus=18446744073709551617", "cpus=18446744073709551617: valid are 0 to 65535");
    refused("cpus=-1", "cpus=-1: valid are 0 to 65535");
    refused("cpus=2x", "cpus=2x: valid are 0 to 65535");
    refused("cpus=0x2", "cpus=0x2: valid are 0 to 65535");
    refused("sample=60001", "sample=60001: valid are 0 to 60000");
    refused("sites=off", "sites=off: valid are 0 to 1048576, on, user");
    refused("trace=2049", "trace=2049: valid are 0 to 2048, last");
    static const char *const boots[] = {
        "boot=",        "boot=disk",   "boot=disk:", "boot=disk:N", "boot=disk:a",
        "boot=disk:10", "boot=disk:/", "boot=1",     "boot=next1",  "boot=next,disk:0"};
    for (unsigned i = 0; i < ARRAY_SIZE(boots); i++) {
        char line[80];
        snprintf(line, sizeof(line), "%s: valid are next, disk:N", boots[i]);
        refused(boots[i], line);
    }
    refused("test=spp", "unknown option 'test=spp': valid are " WORDS); /* the test image's */
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    struct options options;
    char word[300];
    memset(word, '#', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(strlen(options_parse(&options, word)), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),         cmocka_unit_test(every_word_is_understood),
        cmocka_unit_test(the_last_one_holds),    cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
