/* The report's own table, and the console apart: a console that shows counts makes exits. */
#include "commands.h"
#include "lib/print.h"
#include "stats/counters.h"
#include "stats/report.h"
#include <stdio.h>

#define COM1_FIRST 0x3F8
#define COM1_LAST 0x3FF
#define PORT(detail) ((detail) >> 16)

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

void print_table(const struct reading *r)
{
    struct reason_counter console;
    print_sink = put;
    window_open(r->window);
    run_facts->report = REPORT_TABLE;
    report_print(0, NULL);
    if (!console_share(r, &console))
        return;
    u64 exits = statistics_exits(), cycles = statistics_cycles();
    say("       COM1, ports 3f8 to 3ff  %9lu          %12lu", console.count, console.cycles);
    say("       sum without COM1        %9lu          %12lu", exits - console.count,
        cycles - console.cycles);
    fflush(stdout);
}
