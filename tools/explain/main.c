/*
 * Usage: explain <console
 *
 * Passes the console of a run through, byte by byte and at once; after each dump of Tally's, and
 * the registers at a triple fault, it says in words what the numbers say.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"
#include "vmx/access.h"

static struct dump dump;

/* The rules look at the dump as Tally would at the current VMCS. A field that is not there is 0. */
u64 vmread(enum vmcs_field field)
{
    return dump.field[field];
}

static void pass(const char *text, size_t size)
{
    while (size) {
        ssize_t written = write(STDOUT_FILENO, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            exit(1); /* nobody reads */
        text += written;
        size -= (size_t)written;
    }
}

static void tell_cut(void)
{
    tell("a dump above is cut or torn: not explained");
}

static void end_of_line(char *line, size_t length)
{
    bool returns = length && line[length - 1] == '\r';
    line[length - returns] = '\0';
    tell_end = returns ? "\r\n" : "\n";
    explain_triple_fault(line);
    switch (dump_line(&dump, line)) {
    case DUMP_NONE:
    case DUMP_MORE: return;
    case DUMP_WHOLE: explain_dump(&dump); break;
    case DUMP_CUT: tell_cut(); break;
    case DUMP_VERSION: tell("a dump that only another version of explain reads"); break;
    }
    if (fflush(tell_to))
        exit(1);
}

/* Lines that are too long for Tally's are the guest's. */
static void take(const char *text, size_t size)
{
    static char line[256];
    static size_t length;
    const char *passed = text;
    for (const char *c = text; c < text + size; c++) {
        if (*c != '\n') {
            line[length] = *c;
            length += length < sizeof(line) - 1;
            continue;
        }
        pass(passed, (size_t)(c + 1 - passed));
        passed = c + 1;
        end_of_line(line, length);
        length = 0;
    }
    pass(passed, (size_t)(text + size - passed));
}

int main(int argc, char **argv)
{
    static char chunk[4096];
    ssize_t size;
    (void)argv;
    tell_to = stdout;
    if (argc > 1) {
        fputs("explain: usage: explain <console\n", stderr);
        return 2;
    }
    while ((size = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0 || (size < 0 && errno == EINTR))
        if (size > 0)
            take(chunk, (size_t)size);
    if (dump_is_open()) {
        tell_cut();
        fflush(tell_to);
    }
    return size < 0;
}
