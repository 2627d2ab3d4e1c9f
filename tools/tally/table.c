/* The report's own table, and the console apart: a console that shows counts makes exits. */
#include "commands.h"
#include "lib/print.h"
#include "stats/counters.h"
#include "stats/report.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COM1_FIRST 0x3F8
#define COM1_LAST 0x3FF
#define PORT(detail) ((detail) >> 16)

#define TABLE_WIDTH 100
#define ALL_LINES 1000

static void put(char c)
{
    putchar(c);
}

bool console_share(const struct reading *r, struct reason_counter *sum)
{
    *sum = (struct reason_counter){0};
    bool any = false;
    for (u32 vcpu = 0; vcpu < r->window->facts.vcpus; vcpu++) {
        const struct site_table *t = window_copy(r->window, WINDOW_SITES, vcpu);
        any |= t != NULL;
        for (u64 row = 0; t && row < t->rows; row++) {
            const struct site *s = &t->site[row];
            u64 port = PORT(s->key.detail);
            if (s->key.what && s->key.reason == EXIT_IO_INSTRUCTION && port >= COM1_FIRST &&
                port <= COM1_LAST) {
                sum->count += s->counter.count;
                sum->cycles += s->counter.cycles;
            }
        }
    }
    return any;
}

/* A terminal that the whole table does not fit on. */
static bool is_narrow(void)
{
    struct winsize size = {0};
    return isatty(1) && !ioctl(1, TIOCGWINSZ, &size) && size.ws_col && size.ws_col < TABLE_WIDTH;
}

static void print_console_row(bool narrow, const char *label, u64 count, u64 cycles)
{
    if (narrow)
        say("     %-24s %12lu", label, count);
    else
        say("       %-24s%9lu          %12lu", label, count, cycles);
}

void print_table(const struct reading *r)
{
    struct reason_counter console;
    bool narrow = is_narrow();
    print_sink = put;
    window_open(r->window);
    run_facts->report = REPORT_TABLE;
    if (narrow)
        report_print_short(ALL_LINES);
    else
        report_print(0, NULL);
    if (!console_share(r, &console))
        return;
    print_console_row(narrow, "COM1, ports 3f8 to 3ff", console.count, console.cycles);
    print_console_row(narrow, "sum without COM1", statistics_exits() - console.count,
                      statistics_cycles() - console.cycles);
    fflush(stdout);
}
