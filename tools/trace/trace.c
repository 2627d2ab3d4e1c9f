#include "trace.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct window directory;
struct stream *streams;

_Noreturn void fail(const char *format, ...)
{
    va_list more;
    va_start(more, format);
    fprintf(stderr, "trace-export: ");
    vfprintf(stderr, format, more);
    fprintf(stderr, "\n");
    va_end(more);
    exit(2);
}

static void read_all(FILE *file, const char *path, void *to, size_t size)
{
    if (fread(to, 1, size, file) != size)
        fail("%s is cut, or no trace of Tally's", path);
}

void read_trace(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("%s: %s", path, strerror(errno));
    read_all(file, path, &directory, sizeof(directory));
    if (directory.mark != WINDOW_MARK || directory.version != WINDOW_VERSION)
        fail("%s is no trace of this Tally's", path);
    streams = calloc(directory.facts.vcpus, sizeof(*streams));
    for (u32 i = 0; i < directory.facts.vcpus; i++) {
        struct trace_log head;
        read_all(file, path, &head, sizeof(head));
        u64 kept = head.written < head.rows ? head.written : head.rows;
        if (kept * sizeof(head.record[0]) > directory.part[WINDOW_TRACE].size)
            fail("%s is damaged", path);
        struct trace_log *log = malloc(sizeof(head) + kept * sizeof(head.record[0]));
        *log = head;
        read_all(file, path, log->record, kept * sizeof(head.record[0]));
        streams[i] = (struct stream){log, kept, head.last && kept ? head.written % kept : 0, 0};
        if (head.written < head.rows)
            streams[i].first = 0;
    }
    fclose(file);
}

const struct trace_record *record_of(const struct stream *s, u64 n)
{
    return &s->log->record[(s->first + n) % s->kept];
}

const struct trace_record *next_record(void)
{
    struct stream *best = NULL;
    for (u32 i = 0; i < directory.facts.vcpus; i++) {
        struct stream *s = &streams[i];
        if (s->next < s->kept &&
            (!best || record_of(s, s->next)->time < record_of(best, best->next)->time))
            best = s;
    }
    return best ? record_of(best, best->next++) : NULL;
}
