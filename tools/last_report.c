/*
 * The report of a machine that stands still before its Tally could print it: the window is found in
 * the machine's memory by its mark, and printed by the code that Tally itself prints with.
 *
 * Usage: last-report [-t TRACE [-q]] COMMANDS ANSWERS MEGABYTES
 *   -t TRACE  write the records of the exits there, for tools/trace/
 *   -q        that alone: the report has been printed
 * COMMANDS and ANSWERS are those of tools/machine.h. Status 1, and a line on
 * standard error: there is no window, or no answer.
 */
#include "lib/print.h"
#include "machine.h"
#include "sites/sites_print.h"
#include "stats/report.h"
#include "stats/window.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD 64               /* bytes of a part that tell how much of it is written */
#define RAM_TOP 0xE0000000ull /* of what lies below 4 GiB, in both machines at most */

/* The machine is stopped by chance: a guest may have been loaded over what looks like a window. */
static bool plausible(const struct window *w)
{
    for (unsigned kind = 0; kind < WINDOW_PARTS; kind++) {
        const struct window_part *part = &w->part[kind];
        if (part->size && (part->copies > w->facts.vcpus ||
                           part->offset + part->copies * part->size > w->pages * PAGE_SIZE))
            return false;
    }
    return w->version == WINDOW_VERSION && w->facts.vcpus <= w->part[WINDOW_COUNTERS].copies &&
           w->facts.profile <= PROFILE_ALL &&
           w->part[WINDOW_COUNTERS].size == sizeof(struct statistics);
}

/* How much of a part was written, by what its head says. */
static u64 written_size(const void *head, enum window_kind kind, u64 size)
{
    const struct timeline_log *line = head;
    const struct site_table *sites = head;
    const struct trace_log *trace = head;
    u64 rows, need = size;
    if (kind == WINDOW_TIMELINE) {
        need = sizeof(*line) + line->used;
    } else if (kind == WINDOW_SITES) {
        need = sizeof(*sites) + sites->rows * sizeof(sites->site[0]);
    } else if (kind == WINDOW_TRACE) {
        rows = trace->written < trace->rows ? trace->written : trace->rows;
        need = sizeof(*trace) + rows * sizeof(trace->record[0]);
    }
    if (need > size)
        fail("the counters in the machine's memory are damaged");
    return need;
}

static void copy_part(u64 address, struct window *w, enum window_kind kind)
{
    for (u32 copy = 0; w->part[kind].size && copy < w->part[kind].copies; copy++) {
        u8 *to = window_copy(w, kind, copy);
        u64 from = address + (u64)(to - (u8 *)w);
        read_memory(from, to, HEAD);
        u64 size = written_size(to, kind, w->part[kind].size);
        if (size > HEAD)
            read_memory(from + HEAD, to + HEAD, size - HEAD);
    }
}

static struct window *copy_window(u64 address, bool whole)
{
    static struct window head;
    read_memory(address, &head, sizeof(head));
    if (!plausible(&head))
        fail("the counters in the machine's memory are of another version of Tally's");

    struct window *w = aligned_alloc(PAGE_SIZE, head.pages * PAGE_SIZE);
    if (!w)
        fail("out of memory");
    memcpy(w, &head, sizeof(head));
    for (unsigned kind = 0; kind < WINDOW_PARTS; kind++)
        if (whole || kind == WINDOW_TRACE)
            copy_part(address, w, kind);
    return w;
}

/* The directory, then each vCPU's log as far as it was written. */
static void save_trace(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        fail(strerror(errno));
    fwrite(window, sizeof(*window), 1, file);
    for (u32 copy = 0; copy < window->facts.vcpus; copy++) {
        const struct trace_log *log = window_copy(window, WINDOW_TRACE, copy);
        if (log)
            fwrite(log, written_size(log, WINDOW_TRACE, window->part[WINDOW_TRACE].size), 1, file);
    }
    if (fclose(file) != 0)
        fail(strerror(errno));
}

static void put(char c)
{
    if (c == '\n')
        putchar('\r'); /* as Tally on the serial console */
    putchar(c);
}

int main(int argc, char **argv)
{
    const char *trace = NULL;
    bool quiet = false;
    for (int option; (option = getopt(argc, argv, "t:q")) != -1;) {
        if (option == 't')
            trace = optarg;
        quiet = quiet || option == 'q';
    }
    argv += optind - 1;
    if (argc - optind != 3) {
        fprintf(stderr, "usage: last-report [-t TRACE [-q]] COMMANDS ANSWERS MEGABYTES\n");
        return 2;
    }
    machine_open(argv[1], argv[2]);
    u64 top = strtoull(argv[3], NULL, 10) * MIB;
    window_open(copy_window(find_window(top < RAM_TOP ? top : RAM_TOP), !quiet));
    if (trace && window->part[WINDOW_TRACE].size)
        save_trace(trace);
    if (quiet)
        return 0;

    print_sink = put;
    print("\n"); /* the guest may have been in the middle of a line */
    say("the run was ended from outside; the exits until then:");
    report_print(timeline_log ? timeline_log->last_tsc : 0, sites_print);
    return 0;
}
