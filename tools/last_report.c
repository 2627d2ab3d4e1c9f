/*
 * The report of a machine that stands still before its Tally could print it: the window is found in
 * the machine's memory by its mark, and printed by the code that Tally itself prints with.
 *
 * Usage: last-report COMMANDS ANSWERS MEGABYTES
 * Memory is read by the command `xp`, which Bochs' debugger and QEMU's monitor share: written to
 * COMMANDS, its answers read from ANSWERS, a file that grows or a pipe. Status 1, and a line on
 * standard error: there is no window, or no answer.
 */
#include "lib/print.h"
#include "sites/sites_print.h"
#include "stats/report.h"
#include "stats/window.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 5000         /* milliseconds without an answer */
#define SEARCH 30             /* seconds */
#define AT_ONCE 256           /* words or pages that are asked for at a time */
#define RAM_TOP 0xE0000000ull /* of what lies below 4 GiB, in both machines at most */

static int commands, answers;

static void fail(const char *why)
{
    fprintf(stderr, "last-report: %s\n", why);
    exit(1);
}

static void ask(u64 address, unsigned words)
{
    char line[64];
    int length =
        snprintf(line, sizeof(line), "xp /%ugx 0x%llx\n", words, (unsigned long long)address);
    if (write(commands, line, length) != length)
        fail("the machine takes no commands");
}

static char next_letter(void)
{
    char c;
    for (unsigned waited = 0; waited < PATIENCE; waited++) {
        if (read(answers, &c, 1) == 1)
            return c;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail("the machine does not answer");
    return 0;
}

/* The next line that shows memory, `…ADDRESS…: 0x… 0x…`, from its first word on. */
static const char *next_words(void)
{
    static char line[512];
    for (;;) {
        size_t length = 0;
        for (char c; (c = next_letter()) != '\n';)
            if (length + 1 < sizeof(line))
                line[length++] = c;
        line[length] = '\0';
        for (char *at = line; (at = strchr(at, ':')); at++)
            if (at[1] && strncmp(at + 2, "0x", 2) == 0)
                return at + 2;
    }
}

static void take(u64 *to, unsigned words)
{
    while (words) {
        char *end;
        for (const char *at = next_words(); words; at = end, words--) {
            *to = strtoull(at, &end, 16);
            if (end == at)
                break;
            to++;
        }
    }
}

static void read_memory(u64 address, void *to, u64 size)
{
    u64 words = (size + 7) / 8;
    for (u64 at = 0; at < words; at += AT_ONCE) {
        unsigned count = words - at < AT_ONCE ? words - at : AT_ONCE;
        ask(address + 8 * at, count);
        take((u64 *)to + at, count);
    }
}

/* From the top down, since Tally lives there. */
static u64 find_window(u64 top)
{
    for (time_t end = time(NULL) + SEARCH; top >= MIB && time(NULL) < end;) {
        u64 words[AT_ONCE][2];
        for (unsigned page = 0; page < AT_ONCE; page++)
            ask(top - (page + 1) * PAGE_SIZE, 2);
        take(words[0], 2 * AT_ONCE);
        for (unsigned page = 0; page < AT_ONCE; page++)
            if (words[page][0] == WINDOW_MARK && words[page][1] == top - (page + 1) * PAGE_SIZE)
                return words[page][1];
        top -= AT_ONCE * PAGE_SIZE;
    }
    fail("no counters of Tally's are in the machine's memory");
    return 0;
}

static bool plausible(const struct window *w)
{
    const struct window_part *counters = &w->part[WINDOW_COUNTERS];
    const struct window_part *timeline = &w->part[WINDOW_TIMELINE];
    u64 size = w->pages * PAGE_SIZE;
    return w->version == WINDOW_VERSION && w->facts.vcpus <= counters->copies &&
           counters->size == sizeof(struct statistics) && w->facts.profile <= PROFILE_ALL &&
           counters->offset + counters->copies * counters->size <= size &&
           timeline->offset + timeline->size <= size;
}

static struct window *copy_window(u64 address)
{
    static struct window head;
    read_memory(address, &head, sizeof(head));
    if (!plausible(&head))
        fail("the counters in the machine's memory are of another version of Tally's");

    u8 *copy = aligned_alloc(PAGE_SIZE, head.pages * PAGE_SIZE);
    if (!copy)
        fail("out of memory");
    memcpy(copy, &head, sizeof(head));
    u64 from = head.part[WINDOW_COUNTERS].offset;
    read_memory(address + from, copy + from, head.facts.vcpus * sizeof(struct statistics));
    if (head.part[WINDOW_TIMELINE].size) {
        from = head.part[WINDOW_TIMELINE].offset;
        struct timeline_log *log = (struct timeline_log *)(copy + from);
        read_memory(address + from, log, sizeof(*log));
        if (log->used > head.part[WINDOW_TIMELINE].size - sizeof(*log))
            fail("the time line in the machine's memory is no time line");
        read_memory(address + from + sizeof(*log), log->record, log->used);
    }
    return (struct window *)copy;
}

static void put(char c)
{
    if (c == '\n')
        putchar('\r'); /* as Tally on the serial console */
    putchar(c);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: last-report COMMANDS ANSWERS MEGABYTES\n");
        return 2;
    }
    commands = open(argv[1], O_WRONLY);
    answers = open(argv[2], O_RDONLY | O_NONBLOCK);
    if (commands < 0 || answers < 0)
        fail(strerror(errno));
    u64 top = strtoull(argv[3], NULL, 10) * MIB;
    window_open(copy_window(find_window(top < RAM_TOP ? top : RAM_TOP)));

    print_sink = put;
    print("\n"); /* the guest may have been in the middle of a line */
    say("the run was ended from outside; the exits until then:");
    report_print(timeline_log ? timeline_log->last_tsc : 0,
                 (void (*const[])(void)){sites_print, NULL});
    return 0;
}
