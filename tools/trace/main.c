/*
 * The records of the exits that the runner has kept, for other programs.
 *
 * Usage: trace-export ctf TRACE DIRECTORY
 *        trace-export text|keys|packed TRACE [MOST]   at most so many records, the first
 *   ctf     the Common Trace Format in DIRECTORY: metadata, and a stream of one packet for each
 * vCPU text    a line a record in the order of time, with tabs between: time, vCPU, cycles, key
 *   keys    a line for each different exit: number, address of 16 digits, reason, detail, mode
 *   packed  for the page: time since the record before, key, cycles, vCPU as base-128 varints
 * TRACE is what tools/last_report.c writes.
 */
#include "sites/words.h"
#include "stats/counters.h"
#include "trace.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_key(unsigned number)
{
    const struct site_key *key = key_of(number);
    char detail[40], mode[16];
    site_detail_text(detail, sizeof(detail), key->reason, key->detail);
    site_mode_text(mode, sizeof(mode), key->mode);
    printf("%u\t%016llx\t%s\t%s\t%s\n", number, (unsigned long long)key->rip,
           reason_name(key->reason), detail, mode);
}

static u64 most = ~0ull;

static const struct trace_record *next_wanted(void)
{
    return most && most-- ? next_record() : NULL;
}

static void put_varint(u64 value)
{
    for (; value >= 0x80; value >>= 7)
        putchar((int)(value & 0x7F) | 0x80);
    putchar((int)value);
}

static void export_text(void)
{
    for (const struct trace_record *r; (r = next_wanted());)
        printf("%llu\t%u\t%u\t%u\n", (unsigned long long)r->time, r->vcpu, r->cycles,
               key_number(r));
}

static void export_keys(void)
{
    for (const struct trace_record *r; (r = next_wanted());)
        key_number(r);
    for (unsigned i = 0; i < key_count(); i++)
        print_key(i);
}

static void export_packed(void)
{
    u64 before = 0;
    for (const struct trace_record *r; (r = next_wanted()); before = r->time) {
        put_varint(r->time - before);
        put_varint(key_number(r));
        put_varint(r->cycles);
        put_varint(r->vcpu);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool ctf = strcmp(what, "ctf") == 0;
    if (argc != 4 && (ctf || argc != 3))
        fail("usage: trace-export ctf TRACE DIRECTORY, or text|keys|packed TRACE [MOST]");
    read_trace(argv[2]);
    if (!ctf && argc == 4)
        most = strtoull(argv[3], NULL, 10);
    if (ctf)
        export_ctf(argv[3]);
    else if (strcmp(what, "text") == 0)
        export_text();
    else if (strcmp(what, "keys") == 0)
        export_keys();
    else if (strcmp(what, "packed") == 0)
        export_packed();
    else
        fail("unknown form '%s'; valid: ctf text keys packed", what);
    if (fflush(stdout) != 0)
        fail("%s", strerror(errno));
    return 0;
}
