/*
 * tally-top: which VM exits this machine makes, how many, how fast, what they cost; as
 * `perf kvm stat live` does, but read from inside the guest by CPUID, at any privilege.
 * Called as tally-mark it sets a named mark in Tally's time line instead.
 *
 * A CPUID is itself an exit, so the program counts those that it makes and takes them off again.
 * It is linked with musl because glibc's start-up executes dozens of CPUIDs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tally.h"

enum status { STATUS_OK, STATUS_NO_TALLY, STATUS_USAGE };

struct registers {
    u32 eax, ebx, ecx, edx;
};

struct row {
    u32 reason;
    u64 count, cycles;
};

struct snapshot {
    struct timespec time;
    struct row rows[EXIT_REASONS]; /* index = reason, without this program's own CPUIDs */
};

struct options {
    bool once, csv;
    double interval; /* seconds */
    long refreshes;  /* 0: without end */
};

static const struct {
    const char *text;
    bool defined;
} reasons[EXIT_REASONS] = {
#define NONE false
#define FAULT true
#define TRAP true
#define ASYNC true
#define ENTRY true
#define EXIT_REASON(number, name, kind, delivery, handler) [number] = {#name, kind},
#include "exit_reasons.def"
#undef EXIT_REASON
};

static const char *program = "tally-top"; /* or tally-mark, as called */
static u64 own_cpuids;                    /* CPUIDs that this program has executed so far */
static u64 own_cycles;                    /* and what they cost */

static struct registers cpuid(u32 leaf, u32 subleaf)
{
    struct registers r;
    own_cpuids++;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/*
 * The signature in leaf 0x40000000 can be switched off (announce=no), and a CPU without a
 * hypervisor answers unknown leaves with those of its highest basic one. No CPU answers an
 * undefined reason as Tally does.
 */
static bool under_tally(void)
{
    struct registers r = cpuid(LEAF_REASON_EXITS, 35);
    return !r.eax && !r.ebx && !r.ecx && r.edx == TALLY_UNDEFINED_REASON;
}

static u64 read_count(u32 reason)
{
    struct registers r = cpuid(LEAF_REASON_EXITS64, reason);
    return (u64)r.ebx << 32 | r.eax;
}

static u64 read_cycles(u32 reason)
{
    struct registers r = cpuid(LEAF_REASON_CYCLES, reason);
    return (u64)r.ebx << 32 | r.ecx;
}

/* One CPUID for each defined reason, one more for each that happened, and two for the own cost. */
static void take_snapshot(struct snapshot *s)
{
    u64 cycles_before = read_cycles(EXIT_CPUID);
    u64 cpuids_before = own_cpuids - 1;
    clock_gettime(CLOCK_MONOTONIC, &s->time);
    for (u32 n = 0; n < EXIT_REASONS; n++) {
        struct row *row = &s->rows[n];
        *row = (struct row){.reason = n};
        if (!reasons[n].defined)
            continue;
        row->count = read_count(n);
        if (n == EXIT_CPUID)
            row->count -= own_cpuids;
        else if (row->count)
            row->cycles = read_cycles(n);
    }
    u64 cycles_after = read_cycles(EXIT_CPUID);
    u64 cost = cycles_after - cycles_before; /* of all but the last, which is still in progress */
    u64 timed = own_cpuids - cpuids_before - 1;
    own_cycles += cost + cost / timed;
    u64 own_finished = own_cycles - cost / timed;
    s->rows[EXIT_CPUID].cycles = cycles_after > own_finished ? cycles_after - own_finished : 0;
}

/* What happened from `from` to `to`; with from = NULL all since Tally's start. */
static void difference(const struct snapshot *from, const struct snapshot *to, struct row *rows)
{
    for (u32 n = 0; n < EXIT_REASONS; n++) {
        rows[n] = to->rows[n];
        if (!from)
            continue;
        rows[n].count -= from->rows[n].count;
        u64 before = from->rows[n].cycles;
        rows[n].cycles = rows[n].cycles > before ? rows[n].cycles - before : 0;
    }
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static int most_frequent_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (int)x->reason - (int)y->reason;
}

static double percent(u64 part, u64 whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* `rows`: what happened in `seconds`; `total`: all since the start. */
static void print_table(struct row *rows, const struct snapshot *total, double seconds)
{
    u64 all = 0, count = 0, cycles = 0;
    for (u32 n = 0; n < EXIT_REASONS; n++) {
        all += rows[n].count ? total->rows[n].count : 0;
        count += rows[n].count;
        cycles += rows[n].cycles;
    }
    qsort(rows, EXIT_REASONS, sizeof(*rows), most_frequent_first);
    printf("  %-24s %12s %12s %7s %14s %7s %9s\n", "reason", "all", "per second", "count%",
           "cycles", "cycles%", "avg");
    for (u32 i = 0; i < EXIT_REASONS && rows[i].count; i++) {
        const struct row *r = &rows[i];
        printf("  %2u %-21s %12llu %12.1f %6.1f%% %14llu %6.1f%% %9llu\n", r->reason,
               reasons[r->reason].text, (unsigned long long)total->rows[r->reason].count,
               (double)r->count / seconds, percent(r->count, count), (unsigned long long)r->cycles,
               percent(r->cycles, cycles), (unsigned long long)(r->cycles / r->count));
    }
    printf("     %-21s %12llu %12.1f %6.1f%% %14llu %6.1f%%\n", "sum of these",
           (unsigned long long)all, (double)count / seconds, 100.0, (unsigned long long)cycles,
           100.0);
}

static void print_csv(struct row *rows, double time, double seconds)
{
    qsort(rows, EXIT_REASONS, sizeof(*rows), most_frequent_first);
    for (u32 i = 0; i < EXIT_REASONS && rows[i].count; i++)
        printf("%.3f,%u,%s,%llu,%.1f,%llu\n", time, rows[i].reason, reasons[rows[i].reason].text,
               (unsigned long long)rows[i].count, (double)rows[i].count / seconds,
               (unsigned long long)rows[i].cycles);
}

/* One interval: `first` is the run's first snapshot, `from` NULL for all since Tally's start. */
static void show(const struct options *o, const struct snapshot *from, const struct snapshot *to,
                 double seconds, double time)
{
    struct row rows[EXIT_REASONS];
    difference(from, to, rows);
    if (o->csv)
        print_csv(rows, time, seconds);
    else
        print_table(rows, to, seconds);
    fflush(stdout);
}

static void nap(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

static int live(const struct options *o, const struct snapshot *first)
{
    static const char *const profiles[] = {"minimal", "kvm", "all"};
    struct registers info = cpuid(LEAF_INFO, 0);
    struct snapshot before = *first, now;
    for (long n = 0; !o->refreshes || n < o->refreshes; n++) {
        nap(o->interval);
        take_snapshot(&now);
        if (!o->csv)
            printf("%stally-top: exits of the last %g s, %u vCPU, profile %s; ^C ends\n",
                   isatty(1) ? "\033[H\033[J" : "", o->interval, info.ebx,
                   info.ecx < ARRAY_SIZE(profiles) ? profiles[info.ecx] : "unknown");
        show(o, &before, &now, seconds_between(&before.time, &now.time),
             seconds_between(&first->time, &now.time));
        before = now;
    }
    return STATUS_OK;
}

/* Returns the status of the command, as a shell would. */
static int while_running(const struct options *o, const struct snapshot *before, char **command)
{
    struct snapshot after;
    int status;
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        fprintf(stderr, "tally-top: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("tally-top");
        return STATUS_USAGE;
    }
    take_snapshot(&after);
    double seconds = seconds_between(&before->time, &after.time);
    if (!o->csv)
        printf("tally-top: exits in %.3f s of '%s'\n", seconds, command[0]);
    show(o, before, &after, seconds, seconds);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int since_start(const struct options *o, const struct snapshot *now)
{
    struct timespec start = {0};
    double uptime = seconds_between(&start, &now->time);
    if (!o->csv)
        printf("tally-top: exits since the start, %.3f s\n", uptime);
    show(o, NULL, now, uptime, uptime);
    return STATUS_OK;
}

static void help(void)
{
    u32 defined = 0;
    for (u32 n = 0; n < EXIT_REASONS; n++)
        defined += reasons[n].defined;
    printf(
        "usage: tally-top [-1c] [-i SECONDS] [-n TIMES] [COMMAND [ARGUMENT...]]\n"
        "       tally-mark [-t] NAME\n"
        "Show the VM exits that Tally counts, most frequent first, every second.\n"
        "  -1          once: all since the start\n"
        "  -c          comma-separated: seconds,reason,name,count,per_second,cycles\n"
        "  -i SECONDS  interval, default 1\n"
        "  -n TIMES    end after so many intervals\n"
        "  COMMAND     run it and show the exits of that time; ends with its status\n"
        "tally-mark sets a mark of 1 to 16 letters in the time line (Tally's option sample=MS);\n"
        "with -t it prints the TSC first, without Tally, too.\n"
        "Own cost: 1 CPUID at the start, 1 for the heading, and for each reading %u and one more\n"
        "for each reason that happened. They are not in the numbers shown.\n"
        "Exit status: 0; 1 not under Tally or marks are off; 2 wrong usage.\n",
        defined + 2);
}

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "%s: %s%s%s; tally-top -h tells more\n", program, what, *word ? " " : "", word);
    return STATUS_USAGE;
}

static int no_tally(void)
{
    fprintf(stderr, "%s: this machine does not run under Tally (no answer in CPUID leaf 0x%08X)\n",
            program, LEAF_REASON_EXITS);
    return STATUS_NO_TALLY;
}

static int mark(int argc, char **argv)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+";
    u32 name[4] = {0};
    if (argc > 1 && !strcmp(argv[1], "-t")) {
        printf("tsc %llu\n", (unsigned long long)__builtin_ia32_rdtsc());
        fflush(stdout);
        argc--, argv++;
    }
    if (argc != 2 || !*argv[1] || argv[1][0] == '-')
        return usage("there must be one name", "");
    if (strlen(argv[1]) > sizeof(name) || argv[1][strspn(argv[1], letters)])
        return usage("a mark is 1 to 16 letters, digits or -_.:/+, not", argv[1]);
    if (!under_tally())
        return no_tally();
    memcpy(name, argv[1], strlen(argv[1]));
    u32 eax = LEAF_MARK;
    __asm__ volatile("cpuid"
                     : "+a"(eax), "+b"(name[0]), "+c"(name[1]), "+d"(name[2])
                     : "S"(name[3]));
    if (!eax)
        fprintf(stderr, "tally-mark: marks are off; start Tally with sample=MS\n");
    return eax ? STATUS_OK : STATUS_NO_TALLY;
}

static bool positive(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && *value > 0 && *value < 1e6;
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    if (!strcmp(base ? base + 1 : argv[0], "tally-mark")) {
        program = "tally-mark";
        return mark(argc, argv);
    }

    struct options o = {.interval = 1};
    double number;
    if (argc > 1 && !strcmp(argv[1], "--help"))
        argv[1] = "-h";
    opterr = 0;
    for (int c; (c = getopt(argc, argv, "+1chi:n:")) != -1;) {
        const char letter[] = {'-', (char)optopt, 0};
        switch (c) {
        case '1': o.once = true; break;
        case 'c': o.csv = true; break;
        case 'h': help(); return STATUS_OK;
        case 'i':
            if (!positive(optarg, &o.interval))
                return usage("not a number of seconds:", optarg);
            break;
        case 'n':
            if (!positive(optarg, &number) || number != (double)(long)number)
                return usage("not a number of intervals:", optarg);
            o.refreshes = (long)number;
            break;
        default: return usage("unknown option or option without its value:", letter);
        }
    }
    if (o.once && argv[optind])
        return usage("-1 takes no command:", argv[optind]);
    if (!under_tally())
        return no_tally();

    struct snapshot first;
    if (o.csv)
        printf("seconds,reason,name,count,per_second,cycles\n");
    take_snapshot(&first);
    if (o.once)
        return since_start(&o, &first);
    return argv[optind] ? while_running(&o, &first, argv + optind) : live(&o, &first);
}
