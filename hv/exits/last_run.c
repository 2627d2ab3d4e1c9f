#include "exits/entry.h"

#include "host/paging.h"
#include "lib/print.h"
#include "lib/string.h"
#include "platform/console.h"
#include "stats/counters.h"
#include "stats/report.h"
#include "stats/window.h"
#include "x86/instructions.h"

#define MARK 0x6E7552747361A154ull

struct last_run {
    u64 mark;
    u32 length, checksum; /* of what follows, `length` bytes */
    struct run_facts facts;
    char way[24];
    struct {
        u64 reason;
        struct reason_counter counter;
    } row[REASON_SLOTS];
};

#define FIRST offsetof(struct last_run, facts)
#define FIXED (offsetof(struct last_run, row) - FIRST) /* least length */
#define ROW sizeof(((struct last_run *)0)->row[0])
_Static_assert(sizeof(struct last_run) <= PAGE_SIZE, "all reasons have room in the page");

static struct last_run *kept;

void last_run_init(void *page)
{
    kept = page;
}

static u32 checksum(const struct last_run *run)
{
    u32 sum = 0;
    for (u32 i = 0; i < run->length; i++)
        sum = (sum << 5 | sum >> 27) + ((const u8 *)run)[FIRST + i];
    return sum;
}

/* A reset may throw the caches away. */
void last_run_keep(const char *way)
{
    unsigned rows = 0;
    kept->facts = *run_facts;
    format_string(kept->way, sizeof(kept->way), "%s", way);
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        struct reason_counter sum = statistics_of_reason(reason);
        if (!sum.count)
            continue;
        kept->row[rows].reason = reason;
        kept->row[rows++].counter = sum;
    }
    kept->length = FIXED + rows * ROW;
    kept->checksum = checksum(kept);
    kept->mark = MARK;
    wbinvd();
}

static bool whole(const struct last_run *run)
{
    return run->mark == MARK && run->length >= FIXED && run->length <= sizeof(*run) - FIRST &&
           (run->length - FIXED) % ROW == 0 && run->checksum == checksum(run) &&
           run->facts.profile <= PROFILE_ALL;
}

/* By the report's own code: its counters are for a moment those of that run. */
static void print_run(const struct last_run *run)
{
    static struct statistics counters;
    static struct run_facts facts;
    statistics_clear(&counters);
    for (u32 i = 0; i < (run->length - FIXED) / ROW; i++)
        if (run->row[i].reason < REASON_SLOTS)
            counters.reason[run->row[i].reason] = run->row[i].counter;
    facts = run->facts;
    facts.vcpus = 1;
    facts.report = REPORT_TABLE;
    run_facts = &facts;
    statistics = &counters;
    say("the last run (CPUs: %u, exits=%s) ended by: %.24s", run->facts.vcpus,
        profile_names[facts.profile], run->way);
    screen_cuts = true; /* the table is wider than 80 columns by minimum, mean and maximum */
    if (console_screen_alone())
        report_print_short(console_screen_alone());
    else
        report_print(0, NULL);
}

void last_run_show(const struct memory_map *map)
{
    for (u64 end = 4 * GIB; end > MIB; end -= PAGE_2M) {
        const struct last_run *run = physical(end - PAGE_SIZE);
        if (!memory_map_is_ram(map, end - PAGE_SIZE, PAGE_SIZE) || !whole(run))
            continue;
        if (strncmp(run->facts.version, TALLY_VERSION, sizeof(run->facts.version)) == 0)
            print_run(run);
        else
            say("the last run in memory is one of Tally %.64s, and only that shows it",
                run->facts.version);
        return;
    }
    say("no last run is in memory: nothing was kept, or the reset has changed it");
}
