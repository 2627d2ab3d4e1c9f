/*
 * tally: what Tally has counted, read from inside its guest. Called as tally-top or tally-mark it
 * is `tally top` or `tally mark`. Linked with musl, since glibc's start-up executes dozens of
 * CPUIDs.
 */
#include "commands.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    int (*command)(const struct options *o);
    const char *options;
} commands[] = {
    {"stat", command_stat, "+h"},       {"top", command_top, "+1chi:n:"},
    {"sites", command_sites, "+hn:"},   {"trace", command_trace, "+hn:"},
    {"record", command_record, "+ho:"}, {"mark", command_mark, "+ht"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *closed; /* why the leaves are read, not the window */

const char *where_from(void)
{
    static char text[128];
    if (!closed)
        return "by the window, without exits";
    snprintf(text, sizeof(text), "by CPUID: %s", closed);
    return text;
}

int usage_error(const struct options *o, const char *what, const char *word)
{
    fprintf(stderr, "%s: %s%s%s; %s -h tells more\n", o->program, what, *word ? " " : "", word,
            o->program);
    return STATUS_USAGE;
}

static int help(void)
{
    puts("usage: tally stat [COMMAND...]          the report's table\n"
         "       tally top [-1c] [-i SECONDS] [-n TIMES] [COMMAND...]\n"
         "                                        each second; -1 since the start,\n"
         "                                        -c for programs\n"
         "       tally sites [-n ROWS] [COMMAND...]\n"
         "                                        instructions with most exits (sites=on)\n"
         "       tally trace [-n RECORDS] [COMMAND...]\n"
         "                                        the newest exits (trace=MIB,last)\n"
         "       tally record [-o FILE] COMMAND...\n"
         "                                        JSON lines, for make report LOG=FILE\n"
         "       tally mark [-t] NAME             in the time line (sample=MS); -t prints\n"
         "                                        the TSC, too\n"
         "Of a COMMAND what it makes, else all since the start. Counts are read from\n"
         "Tally's window by /dev/mem, without exits, by root where the kernel lets it;\n"
         "else by CPUID. Either way this program's own CPUIDs are left out. Keys of top:\n"
         "q quit, s sort, d details, v vCPU, p pause. Exit status: that of the command;\n"
         "1 not under Tally, or it does not record that; 2 wrong usage.");
    return STATUS_OK;
}

static bool positive(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && *value >= 0 && *value < 1e6;
}

/* False: something is wrong, which `status` then is of. */
static bool read_options(struct options *o, int argc, char **argv, const char *letters, int *status)
{
    double number;
    opterr = 0;
    for (int c; (c = getopt(argc, argv, letters)) != -1;) {
        const char letter[] = {'-', (char)optopt, 0};
        *status = STATUS_USAGE;
        switch (c) {
        case '1': o->once = true; break;
        case 'c': o->csv = true; break;
        case 'o': o->file = optarg; break;
        case 't': o->tsc = true; break;
        case 'i':
            if (!positive(optarg, &o->interval) || !o->interval)
                return usage_error(o, "not a number of seconds:", optarg), false;
            break;
        case 'n':
            if (!positive(optarg, &number) || number != (double)(long)number)
                return usage_error(o, "not a number:", optarg), false;
            o->times = (long)number;
            break;
        case 'h': *status = help(); return false;
        default:
            return usage_error(o, "unknown option or option without its value:", letter), false;
        }
    }
    o->words = argv + optind;
    return true;
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    struct options o = {.program = base ? base + 1 : argv[0], .interval = 1, .times = -1};
    const char *word = !strncmp(o.program, "tally-", 6) ? o.program + 6 : NULL;
    int status = STATUS_USAGE;
    if (!word) {
        argc--, argv++;
        word = argc ? argv[0] : "-h";
    }
    if (!strcmp(word, "-h") || !strcmp(word, "--help"))
        return help();
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (strcmp(word, commands[i].word) != 0)
            continue;
        if (!read_options(&o, argc, argv, commands[i].options, &status))
            return status;
        if (!under_tally()) {
            if (o.tsc) /* the time of a bare machine, to compare with */
                print_tsc();
            fprintf(stderr,
                    "%s: this machine does not run under Tally (no answer in CPUID leaf 0x%08X)\n",
                    o.program, LEAF_REASON_EXITS);
            return STATUS_NO_TALLY;
        }
        closed = commands[i].command == command_mark ? NULL : window_find();
        return commands[i].command(&o);
    }
    return usage_error(&o, "unknown word", word);
}
