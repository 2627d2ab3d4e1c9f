/* What this machine makes now: as `perf kvm stat live`, from inside. */
#include "commands.h"
#include "sites/words.h"
#include "stats/counters.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define WIDEST 200

static enum { VIEW_REASONS, VIEW_DETAILS, VIEW_SITES, VIEWS } view;
static bool by_cycles, paused;
static u32 shown_vcpu; /* and 1; 0: all */
static int columns = 100;
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

/* How many rows of a table fit. */
static unsigned fit_screen(const struct options *o)
{
    struct winsize size = {0};
    if (!isatty(1) || o->once || o->words[0])
        return 1000;
    bool told = !ioctl(1, TIOCGWINSZ, &size) && size.ws_row && size.ws_col;
    columns = !told ? 80 : size.ws_col > WIDEST ? WIDEST : size.ws_col;
    return !told || size.ws_row < 10 ? 24 - 5 : size.ws_row - 5u;
}

/* As much of it as the screen is wide. */
static void put_line(const char *line)
{
    printf("%.*s\n", columns - 1, line);
}

static void print_bar(u64 part, u64 whole, int width)
{
    char bar[WIDEST + 1] = "";
    int filled = whole && width > 0 ? (int)((double)width * (double)part / (double)whole + 0.5) : 0;
    memset(bar, '#', filled);
    printf("  %s\n", bar);
}

/* Totals where there is room for them, a bar in what is left. */
static void print_row(const struct row *r, const struct row *sum, const char *name, double seconds)
{
    bool wide = columns >= 100;
    if (wide)
        printf("%11llu ", (unsigned long long)r->all);
    printf("%9.1f %5.1f%% %5.1f%% %6llu", (double)r->count / seconds, percent(r->count, sum->count),
           percent(r->cycles, sum->cycles),
           (unsigned long long)(r->count ? r->cycles / r->count : 0));
    if (wide)
        printf(" %12llu", (unsigned long long)r->cycles);
    printf("  %-*.*s", columns < 60 ? 10 : 20, columns < 60 ? 10 : 20, name);
    print_bar(r == sum    ? 0
              : by_cycles ? r->cycles
                          : r->count,
              by_cycles ? sum->cycles : sum->count, columns - (wide ? 83 : 58));
}

static void print_rows(const struct row *rows, unsigned n, unsigned lines, double seconds)
{
    struct row sum = {0};
    for (unsigned i = 0; i < n; i++) {
        sum.all += rows[i].all;
        sum.count += rows[i].count;
        sum.cycles += rows[i].cycles;
    }
    bool wide = columns >= 100;
    printf("%s%9s %6s %6s %6s%s  %s\n", wide ? "        all " : "", "a second", "exits", "cycles",
           "avg", wide ? "       cycles" : "", "reason");
    for (unsigned i = 0; i < n && i < lines; i++)
        print_row(&rows[i], &sum, reason_name(rows[i].reason), seconds);
    print_row(&sum, &sum, "sum of these", seconds);
}

static void print_site(const struct site *s, u64 all, double seconds)
{
    char line[WIDEST], detail[40], mode[16] = "";
    site_detail_text(detail, sizeof(detail), s->key.reason, s->key.detail);
    if (view == VIEW_SITES)
        site_mode_text(mode, sizeof(mode), s->key.mode);
    snprintf(line, sizeof(line), "%9.1f %5.1f%% %6llu  %-16.16s %-14s %-6s %s",
             (double)s->counter.count / seconds, percent(s->counter.count, all),
             (unsigned long long)(s->counter.count ? s->counter.cycles / s->counter.count : 0),
             reason_name(s->key.reason), detail, mode,
             view == VIEW_SITES ? function_at(s->key.rip, s->key.mode) : "");
    put_line(line);
}

static void print_sites(struct window *w, unsigned lines, double seconds)
{
    struct site *list;
    if (!w->part[WINDOW_SITES].size) {
        printf("  no sites are recorded, or not to be read; start Tally with sites=on\n");
        return;
    }
    window_open(w);
    size_t n = sites_list(w, &list, view == VIEW_DETAILS);
    put_line(view == VIEW_SITES
                 ? " a second  exits    avg  reason           detail         mode   where"
                 : " a second  exits    avg  reason           detail");
    for (size_t i = 0; i < n && i < lines; i++)
        print_site(&list[i], statistics_exits(), seconds);
    free(list);
}

static void print_console(const struct reading *part, double seconds)
{
    struct reason_counter console;
    char line[WIDEST];
    if (!console_share(part, &console))
        return;
    window_open(part->window);
    snprintf(line, sizeof(line), "%9.1f  COM1, 3f8 to 3ff; without it %.1f",
             (double)console.count / seconds,
             (double)(statistics_exits() - console.count) / seconds);
    put_line(line);
}

/* One interval: what is in `part`, made in `seconds`, at `time`; `whole`: all since the start. */
static void show(const struct options *o, struct reading *part, struct reading *whole,
                 double seconds, double time)
{
    struct row rows[REASON_SLOTS] = {0};
    unsigned n = make_rows(rows, part->window, whole->window), lines = fit_screen(o);
    if (o->csv)
        print_csv(rows, n, time, seconds);
    else if (view == VIEW_REASONS)
        print_rows(rows, n, lines, seconds);
    else
        print_sites(part->window, lines, seconds);
    if (!o->csv)
        print_console(part, seconds);
    fflush(stdout);
}

/* The same of the vCPU that the key v has chosen. */
static void show_chosen(const struct options *o, struct reading *part, struct reading *whole,
                        double seconds, double time)
{
    struct window directory = *whole->window;
    if (shown_vcpu) {
        window_of_one(part->window, shown_vcpu - 1);
        window_of_one(whole->window, shown_vcpu - 1);
    }
    show(o, part, whole, seconds, time);
    *whole->window = directory; /* the next interval begins with it */
}

static void print_heading(const struct reading *now, double seconds, bool keys)
{
    char line[WIDEST], of[32] = "";
    if (shown_vcpu)
        snprintf(of, sizeof(of), " of CPU %u", shown_vcpu - 1);
    snprintf(line, sizeof(line), "tally: exits%s of the last %.1f s%s%s (%s)", of, seconds,
             keys ? "; q quit s sort d details p pause" : "",
             keys && now->window->facts.vcpus > 1 ? " v vCPU" : "", where_from());
    printf("%s%.*s\n", isatty(1) ? "\033[H\033[J" : "", isatty(1) ? columns - 1 : WIDEST, line);
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
static bool nap(double seconds, bool keys, u32 vcpus)
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
    case 'v': shown_vcpu = (shown_vcpu + 1) % (vcpus > 1 ? vcpus + 1 : 1); break;
    }
    return true;
}

static int live(const struct options *o)
{
    bool keys = keys_begin(), going_on = true;
    struct reading first = reading_take(PART(SITES)), before = first;
    for (long n = 0; going_on && (o->times <= 0 || n < o->times); n++) {
        u32 vcpus = before.window->facts.vcpus;
        going_on = nap(o->interval, keys, vcpus);
        while (paused && going_on)
            going_on = nap(3600, keys, vcpus);
        struct reading now = reading_take(PART(SITES));
        struct reading part = {now.time, take_memory(now.window->pages * PAGE_SIZE)};
        memcpy(part.window, now.window, now.window->pages * PAGE_SIZE);
        reading_subtract(&part, &before);
        double seconds = seconds_between(&before.time, &now.time);
        fit_screen(o);
        if (!o->csv)
            print_heading(&now, seconds, keys);
        show_chosen(o, &part, &now, seconds, seconds_between(&first.time, &now.time));
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
        return usage_error(o, "-1 takes no command:", o->words[0]);
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
