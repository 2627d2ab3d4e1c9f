/* A command between two readings, and what is made of it: a table, or a file that make report
 * reads. */
#include "commands.h"
#include "lib/print.h"
#include "sites/sites_print.h"
#include "stats/report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char **words)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execvp(words[0], words);
        fprintf(stderr, "tally: %s: %s\n", words[0], strerror(errno));
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("tally");
        return STATUS_USAGE;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_between(const struct options *o, struct reading *before, struct reading *after,
                unsigned parts)
{
    *before = (struct reading){0};
    if (!o->words[0]) {
        *after = reading_take(parts);
        return STATUS_OK;
    }
    *before = reading_take(parts);
    int status = run(o->words);
    *after = reading_take(parts);
    reading_subtract(after, before);
    return status;
}

int command_stat(const struct options *o)
{
    struct reading before, after;
    int status = run_between(o, &before, &after, PART(SITES));
    if (o->words[0])
        printf("tally: exits in %.3f s of '%s' (%s)\n", seconds_between(&before.time, &after.time),
               o->words[0], where_from());
    else
        printf("tally: exits since the start (%s)\n", where_from());
    print_table(&after);
    return status;
}

static FILE *file;

static void put(char c)
{
    putc(c, file);
}

/* As the report of a run, for tools/report, tools/sites and tools/compare. */
int command_record(const struct options *o)
{
    struct reading before, after;
    if (!o->words[0])
        return usage_error(o, "record wants a command", "");
    const char *name = o->file ? o->file : "tally.log";
    file = fopen(name, "w");
    if (!file) {
        fprintf(stderr, "tally: %s: %s\n", name, strerror(errno));
        return STATUS_USAGE;
    }
    int status = run_between(o, &before, &after, PART(SITES) | PART(HISTOGRAMS));
    window_open(after.window);
    run_facts->report = REPORT_JSON;
    print_sink = put;
    double ticks = seconds_between(&before.time, &after.time) * 1000 * run_facts->tsc_khz;
    report_print((u64)ticks, sites_print);
    if (fclose(file)) {
        fprintf(stderr, "tally: %s: %s\n", name, strerror(errno));
        return STATUS_USAGE;
    }
    printf("tally: %s has what '%s' made (%s)\n", name, o->words[0], where_from());
    return status;
}
