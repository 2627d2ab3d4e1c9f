// link: tests/unit/fake_vmcs*.c
/* Sites, histograms and trace: what makes a site, that nothing is lost, and how it is told. */
#include "sites/sites.h"
#include "capture.h"
#include "fake_recorder.h"
#include "fake_vmcs.h"
#include "sites/sites_print.h"
#include "sites/words.h"
#include "stats/counters.h"

#define ROWS 64u

static u8 *pages;
static struct vcpu *vcpu = &fake_vcpu;
static struct site_table *table;
static struct trace_log *trace;
static void *recorder_memory;

/* A window for one vCPU that records as `options` ask. */
static void begin(u32 sites, u32 trace_option)
{
    u64 sizes[WINDOW_PARTS] = {[WINDOW_COUNTERS] = sizeof(struct statistics)};
    struct options options = {.sites = sites, .trace = trace_option};
    capture_start();
    fake_reset();
    recording_plan(&options, 1, sizes);
    free(pages);
    pages = aligned_alloc(PAGE_SIZE, window_pages(sizes, 1) * PAGE_SIZE);
    memset(pages, 0, window_pages(sizes, 1) * PAGE_SIZE);
    window_init(pages, 0x1000, sizes, 1);
    vcpu->index = 0;
    vcpu->stats = statistics;
    free(recorder_memory);
    recorder_memory = calloc(recorder_frames(&options), PAGE_SIZE);
    recording_start(vcpu, &options, recorder_memory);
    table = vcpu->recorder.sites;
    trace = vcpu->recorder.trace;
}

/* The last site. */
static const struct known_site *known;

/* An exit from the guest as fake_guest() left it, counted and recorded. */
static void leave(u32 reason, u64 qualification, u64 cycles)
{
    fake_exit(reason, qualification, 2);
    vcpu->seen = fake_see(vcpu, fake_get(VM_ENTRY_CONTROLS));
    struct reason_counter part = {1, cycles, cycles, cycles};
    counter_add(&statistics[0].reason[reason], &part);
    known = fake_record(vcpu, cycles);
}

static const struct site *site_with(u64 rip, u64 detail)
{
    for (u64 row = 0; row < table->rows; row++) {
        const struct site *site = &table->site[row];
        if (site->key.what && site->key.rip == rip && site->key.detail == detail)
            return site;
    }
    return NULL;
}

static void assert_site(u64 rip, u64 detail, u64 count, u64 cycles)
{
    const struct site *site = site_with(rip, detail);
    assert_non_null(site);
    assert_int_equal(site->counter.count, count);
    assert_int_equal(site->counter.cycles, cycles);
}

static void an_instruction_is_a_site(void **state)
{
    (void)state;
    begin(ROWS, 0);
    vcpu->gpr[RAX] = 4, vcpu->gpr[RCX] = 1;
    leave(EXIT_CPUID, 0, 100);
    leave(EXIT_CPUID, 0, 120);
    vcpu->gpr[RCX] = 2;
    leave(EXIT_CPUID, 0, 90);
    assert_site(FAKE_RIP, 4 | 1ull << 32, 2, 220);
    assert_site(FAKE_RIP, 4 | 2ull << 32, 1, 90);
    assert_int_equal(table->used, 2);
    assert_int_equal(table->sequence % 2, 0); /* nothing is being written */
    assert_int_equal(site_with(FAKE_RIP, 4 | 1ull << 32)->counter.min, 100);
    assert_int_equal(site_with(FAKE_RIP, 4 | 1ull << 32)->counter.max, 120);
}

/* Address-space randomisation makes new addresses for each process. */
static void user_code_is_known_by_the_low_bits_of_rip(void **state)
{
    (void)state;
    begin(ROWS, 0);
    fake_guest(GUEST_64BIT_USER);
    fake_set(GUEST_RIP, 0x7FFF12345678);
    leave(EXIT_PAUSE, 0, 50);
    assert_site(0x678, 0, 1, 50);

    begin(SITES_USER_RIPS | ROWS, 0);
    fake_guest(GUEST_64BIT_USER);
    fake_set(GUEST_RIP, 0x7FFF12345678);
    leave(EXIT_PAUSE, 0, 50);
    assert_site(0x7FFF12345678, 0, 1, 50);
}

static void an_interrupt_has_no_address(void **state)
{
    (void)state;
    begin(ROWS, 0);
    leave(EXIT_EXTERNAL_INTERRUPT, 0, 80); /* not taken yet */
    fake_exit(EXIT_INTERRUPT_WINDOW, 0, 0);
    fake_set(VM_ENTRY_INTERRUPTION_INFO, INTERRUPTION_VALID | 0x31);
    struct site_key key = site_of_exit(vcpu);
    assert_int_equal(key.rip, 0);
    assert_int_equal(key.detail, 0x31);
    assert_site(0, 0, 1, 80);
}

static void the_mode_is_that_of_the_exit(void **state)
{
    static const char *const names[FAKE_MODES] = {
        [GUEST_64BIT] = "64/0",   [GUEST_64BIT_USER] = "64/3", [GUEST_COMPATIBILITY] = "compat/3",
        [GUEST_32BIT] = "32/0",   [GUEST_32BIT_USER] = "32/3", [GUEST_PAE] = "32/0",
        [GUEST_16BIT] = "real/0", [GUEST_V8086] = "v8086/3",
    };
    (void)state;
    for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
        char text[16];
        begin(ROWS, 0);
        fake_guest(mode);
        leave(EXIT_PAUSE, 0, 50);
        site_mode_text(text, sizeof(text), known->mode);
        assert_string_equal(text, names[mode]);
    }
}

static u64 sum_of(unsigned reason, bool cycles)
{
    u64 sum = cycles ? table->other[reason].cycles : table->other[reason].count;
    for (u64 row = 0; row < table->rows; row++)
        if (table->site[row].key.what && table->site[row].key.reason == reason)
            sum += cycles ? table->site[row].counter.cycles : table->site[row].counter.count;
    return sum;
}

/* More sites than rows, from all over the address space. */
static void a_full_table_loses_nothing(void **state)
{
    (void)state;
    begin(ROWS, 0);
    for (u64 i = 0; i < 1000; i++) {
        fake_set(GUEST_RIP, i % 500 * 0x123457);
        leave(i % 3 ? EXIT_PAUSE : EXIT_CPUID, 0, i * i * i);
    }
    assert_in_range(table->used, ROWS / 2, ROWS);
    assert_true(table->other[EXIT_PAUSE].count > 0);
    static const u32 reasons[] = {EXIT_PAUSE, EXIT_CPUID};
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        const struct reason_counter *counter = &statistics[0].reason[reasons[i]];
        assert_int_equal(sum_of(reasons[i], false), counter->count);
        assert_int_equal(sum_of(reasons[i], true), counter->cycles);
    }
}

/* What a histogram's buckets are called; that exits fall into the right ones is guest_sites' to
 * see. */
static void histograms_have_four_steps_an_octave(void **state)
{
    (void)state;
    begin(ROWS, 0);
    static const u8 buckets[] = {0, 3, 4, 7, 8, 9, 23, 24, 127};
    for (unsigned i = 0; i < ARRAY_SIZE(buckets); i++)
        vcpu->recorder.histograms->bucket[EXIT_PAUSE][buckets[i]] = i + 1;
    capture_start();
    sites_print();
    assert_non_null(strstr(captured, "{\"histogram\":40,\"vcpu\":0,\"buckets\":[[0,1],[3,2],[4,3],"
                                     "[7,4],[8,5],[10,6],[112,7],[128,8],"));
}

/* The run ends inside an exit: it has been counted, and has no cycles. */
static void the_last_exit_is_counted(void **state)
{
    (void)state;
    begin(ROWS, 0);
    leave(EXIT_PAUSE, 0, 50);
    leave(EXIT_HLT, 0, 60);
    statistics[0].reason[EXIT_HLT].count++;
    fake_exit(EXIT_HLT, 0, 1);
    record_last_exits(vcpu);
    assert_int_equal(sum_of(EXIT_HLT, false), 2);
    assert_int_equal(table->other[EXIT_HLT].count, 0);
    assert_int_equal(sum_of(EXIT_HLT, true), 60);
    assert_int_equal(sum_of(EXIT_PAUSE, false), 1);
}

static void every_line_is_json(void **state)
{
    (void)state;
    begin(ROWS, 1);
    leave(EXIT_PAUSE, 0, 50);
    leave(EXIT_IO_INSTRUCTION, 0x420008, 120);
    known->buckets[20] = vcpu->recorder.histograms->bucket[EXIT_PAUSE][20] = 1;
    table->other[EXIT_HLT].count = 1;
    capture_start();
    sites_print();
    unsigned lines = 0;
    u64 exits = 0;
    for (const char *line; (line = captured_line(lines)); lines++) {
        assert_json_object(line);
        if (strstr(line, "\"count\""))
            exits += json_number(line, "count");
    }
    assert_int_equal(lines, 6); /* two sites, one other, two histograms, the trace */
    assert_int_equal(exits, 3);
}

static void details_in_words(void **state)
{
    static const struct {
        u32 reason;
        u64 detail;
        const char *text;
    } rows[] = {
        {EXIT_EXCEPTION_NMI, 14, "vector 14"},
        {EXIT_EXCEPTION_NMI, 0x102, "nmi"},
        {EXIT_CPUID, 0x100000004, "0x4/1"},
        {EXIT_RDMSR, 0xC0000080, "0xc0000080"},
        {EXIT_IO_INSTRUCTION, 0x420008, "in 1 0x42"},
        {EXIT_IO_INSTRUCTION, 0x1F00011, "outs 2 0x1f0"},
        {EXIT_IO_INSTRUCTION, 0xCF80003, "out 4 0xcf8"},
        {EXIT_CR_ACCESS, 0x00, "mov to cr0"},
        {EXIT_CR_ACCESS, 0x13, "mov from cr3"},
        {EXIT_CR_ACCESS, 0x20, "clts"},
        {EXIT_CR_ACCESS, 0x30, "lmsw"},
        {EXIT_MOV_DR, 0x17, "mov from dr7"},
        {EXIT_EPT_VIOLATION, 0xFEE00002, "write 0xfee00000"},
        {EXIT_TASK_SWITCH, 1, "iret"},
        {EXIT_GDTR_IDTR_ACCESS, 2, "lgdt"},
        {EXIT_LDTR_TR_ACCESS, 3, "ltr"},
        {EXIT_HLT, 1, "if=1"},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[40];
        site_detail_text(text, sizeof(text), rows[i].reason, rows[i].detail);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instruction_is_a_site),
        cmocka_unit_test(user_code_is_known_by_the_low_bits_of_rip),
        cmocka_unit_test(an_interrupt_has_no_address),
        cmocka_unit_test(the_mode_is_that_of_the_exit),
        cmocka_unit_test(a_full_table_loses_nothing),
        cmocka_unit_test(histograms_have_four_steps_an_octave),
        cmocka_unit_test(the_last_exit_is_counted),
        cmocka_unit_test(every_line_is_json),
        cmocka_unit_test(details_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
