/* What this machine makes now: as `perf kvm stat live`, from inside. */
#include "commands.h"
#include "stats/counters.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static enum { VIEW_REASONS, VIEW_DETAILS, VIEW_SITES, VIEWS } view;
static bool by_cycles, paused;
static struct termios settings;

struct row {
    u32 reason;
    u64 all, count, cycles;
};

static int most_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    u64 m = by_cycles ? x->cycles : x->count, n = by_cycles ? y->cycles : y->count;
    return m != n ? (m < n ? 1 : -1) : (int)x->reason - (int)y->reason;
}

static double percent(u64 part, u64 whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Rows of what is in `part`, beside all of `whole`; how many. */
static unsigned make_rows(struct row *rows, struct window *part, struct window *whole)
{
    unsigned n = 0;
    for (u32 reason = 0; reason < REASON_SLOTS; reason++) {
        window_open(whole);
        u64 all = statistics_of_reason(reason).count;
        window_open(part);
        struct reason_counter c = statistics_of_reason(reason);
        if (c.count)
            rows[n++] = (struct row){reason, all, c.count, c.cycles};
    }
    qsort(rows, n, sizeof(*rows), most_first);
    return n;
}

static void print_csv(const struct row *rows, unsigned n, double time, double seconds)
{
    for (unsigned i = 0; i < n; i++)
        printf("%.3f,%u,%s,%llu,%.1f,%llu\n", time, rows[i].reason, reason_name(rows[i].reason),
               (unsigned long long)rows[i].count, (double)rows[i].count / seconds,
               (unsigned long long)rows[i].cycles);
}

static void print_rows(const struct row *rows, unsigned n, unsigned lines, double seconds)
{
    struct row sum = {0};
    for (unsigned i = 0; i < n; i++) {
        sum.all += rows[i].all;
        sum.count += rows[i].count;
        sum.cycles += rows[i].cycles;
    }
    printf("  %-22s %10s %10s %6s %12s %6s %6s\n", "reason", "all", "per second", "count%",
           "cycles", "cyc%", "avg");
    for (unsigned i = 0; i < n && i < lines; i++)
        printf("  %2u %-19s %10llu %10.1f %5.1f%% %12llu %5.1f%% %6llu\n", rows[i].reason,
               reason_name(rows[i].reason), (unsigned long long)rows[i].all,
               (double)rows[i].count / seconds, percent(rows[i].count, sum.count),
               (unsigned long long)rows[i].cycles, percent(rows[i].cycles, sum.cycles),
               (unsigned long long)(rows[i].cycles / rows[i].count));
    printf("     %-19s %10llu %10.1f %5.1f%% %12llu %5.1f%%\n", "sum of these",
           (unsigned long long)sum.all, (double)sum.count / seconds, 100.0,
           (unsigned long long)sum.cycles, 100.0);
}

static void print_sites(struct window *w, unsigned lines)
{
    struct site *list;
    if (!w->part[WINDOW_SITES].size) {
        printf("  no sites are recorded, or not to be read; start Tally with sites=on\n");
        return;
    }
    window_open(w);
    size_t n = sites_list(w, &list, view == VIEW_DETAILS);
    sites_print_heading();
    for (size_t i = 0; i < n && i < lines; i++)
        sites_print_row(&list[i], statistics_exits());
    free(list);
}

/* One interval: what is in `part`, made in `seconds`, at `time`; `whole`: all since the start. */
static void show(const struct options *o, struct reading *part, struct reading *whole,
                 double seconds, double time)
{
    struct row rows[REASON_SLOTS];
    struct winsize size = {0};
    struct reason_counter console;
    unsigned n = make_rows(rows, part->window, whole->window), lines = 1000;
    if (isatty(1) && !o->once && !o->words[0])
        lines = (ioctl(1, TIOCGWINSZ, &size) || size.ws_row < 10 ? 24 : size.ws_row) - 5;
    if (o->csv)
        print_csv(rows, n, time, seconds);
    else if (view == VIEW_REASONS)
        print_rows(rows, n, lines, seconds);
    else
        print_sites(part->window, lines);
    if (!o->csv && console_share(part, &console))
        printf("     %-19s %10s %10.1f; without it %.1f\n", "COM1, 3f8 to 3ff", "",
               (double)console.count / seconds,
               (double)(statistics_exits() - console.count) / seconds);
    fflush(stdout);
}

static void keys_end(void)
{
    tcsetattr(0, TCSANOW, &settings);
}

static bool keys_begin(void)
{
    if (!isatty(0) || !isatty(1) || tcgetattr(0, &settings))
        return false;
    struct termios raw = settings;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    atexit(keys_end);
    return !tcsetattr(0, TCSANOW, &raw);
}

/* Waits for the interval or a key; false: it was q. */
static bool nap(double seconds, bool keys)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char key;
    if (poll(&input, keys ? 1 : 0, (int)(seconds * 1000)) <= 0 || read(0, &key, 1) != 1)
        return true;
    switch (key) {
    case 'q': return false;
    case 's': by_cycles = !by_cycles; break;
    case 'd': view = (view + 1) % VIEWS; break;
    case 'p': paused = !paused; break;
    }
    return true;
}

static int live(const struct options *o)
{
    bool keys = keys_begin(), going_on = true;
    struct reading first = reading_take(PART(SITES)), before = first;
    for (long n = 0; going_on && (o->times <= 0 || n < o->times); n++) {
        going_on = nap(o->interval, keys);
        while (paused && going_on)
            going_on = nap(3600, keys);
        struct reading now = reading_take(PART(SITES));
        struct reading part = {now.time, take_memory(now.window->pages * PAGE_SIZE)};
        memcpy(part.window, now.window, now.window->pages * PAGE_SIZE);
        reading_subtract(&part, &before);
        double seconds = seconds_between(&before.time, &now.time);
        if (!o->csv)
            printf("%stally: exits of the last %.1f s (%s)%s\n", isatty(1) ? "\033[H\033[J" : "",
                   seconds, where_from(), keys ? "; q quit, s sort, d details, p pause" : "");
        show(o, &part, &now, seconds, seconds_between(&first.time, &now.time));
        reading_free(&part);
        if (n)
            reading_free(&before);
        before = now;
    }
    return STATUS_OK;
}

int command_top(const struct options *o)
{
    struct reading before, after;
    if (o->once && o->words[0])
        return wrong(o, "-1 takes no command:", o->words[0]);
    if (o->csv)
        printf("seconds,reason,name,count,per_second,cycles\n");
    if (!o->once && !o->words[0])
        return live(o);
    int status = run_between(o, &before, &after, PART(SITES));
    struct timespec start = {0};
    double seconds = seconds_between(o->once ? &start : &before.time, &after.time);
    if (!o->csv)
        printf("tally: exits %s %.3f s (%s)\n", o->once ? "since the start," : "of the command, in",
               seconds, where_from());
    show(o, &after, &after, seconds, seconds);
    return status;
}
