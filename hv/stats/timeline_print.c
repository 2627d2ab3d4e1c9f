#include "lib/print.h"
#include "lib/string.h"
#include "stats/timeline.h"
#include "stats/window.h"

static u64 get_varint(const u8 **from)
{
    u64 value = 0;
    unsigned shift = 0;
    do
        value |= (u64)(**from & 0x7F) << shift, shift += 7;
    while (*(*from)++ & 0x80);
    return value;
}

static void print_counts(const u64 *counts)
{
    const char *separator = "";
    for (unsigned reason = 0; reason < REASON_SLOTS; reason++) {
        if (!counts[reason])
            continue;
        print("%s\"%u\":%lu", separator, reason, counts[reason]);
        separator = ",";
    }
}

void timeline_print(void)
{
    static u64 counts[REASON_SLOTS];
    unsigned samples = 0;
    u64 tsc = 0;

    if (!timeline_log)
        return;
    memset(counts, 0, sizeof(counts));
    for (const u8 *from = timeline_log->record, *end = from + timeline_log->used; from < end;) {
        u8 kind = *from++;
        tsc += get_varint(&from);
        if (kind == TIMELINE_MARK) {
            print("{\"mark\":");
            print_quoted((const char *)from, MARK_NAME);
            print(",\"tsc\":%lu}\n", tsc);
            from += MARK_NAME;
            continue;
        }
        while (kind--) {
            u8 reason = *from++;
            counts[reason] += get_varint(&from);
        }
        print("{\"sample\":%u,\"tsc\":%lu,\"exits\":{", samples++, tsc);
        print_counts(counts);
        print("}}\n");
    }
    if (timeline_log->lost)
        print("{\"timeline\":\"full\",\"tsc\":%lu,\"lost\":%lu}\n", timeline_log->full_tsc,
              timeline_log->lost);
}
