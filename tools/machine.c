#include "machine.h"
#include "window_layout.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 5000 /* milliseconds without an answer */
#define SEARCH 30     /* seconds */
#define AT_ONCE 256   /* words or pages that are asked for at a time */

static int commands, answers;

void machine_open(const char *to, const char *from)
{
    commands = open(to, O_WRONLY);
    answers = open(from, O_RDONLY | O_NONBLOCK);
    if (commands < 0 || answers < 0)
        fail(strerror(errno));
    /* A file has older lines that look like answers: Bochs 3.0's mask of magic breakpoints. */
    lseek(answers, 0, SEEK_END);
}

void fail(const char *why)
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
    static char letters[65536];
    static ssize_t used, length;
    if (used < length)
        return letters[used++];
    for (unsigned waited = 0; waited < PATIENCE; waited++) {
        length = read(answers, letters, sizeof(letters));
        if (length > 0) {
            used = 1;
            return letters[0];
        }
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

void read_memory(u64 address, void *to, u64 size)
{
    u64 words = (size + 7) / 8;
    for (u64 at = 0; at < words; at += AT_ONCE) {
        unsigned count = words - at < AT_ONCE ? words - at : AT_ONCE;
        ask(address + 8 * at, count);
        take((u64 *)to + at, count);
    }
}

u64 find_window(u64 top)
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
