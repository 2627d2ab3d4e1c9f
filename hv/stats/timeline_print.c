#include "lib/print.h"
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

/* A sample of so many reasons whose counts have changed; returns what comes after it. */
static const u8 *print_sample(const u8 *from, u8 reasons, unsigned number, u64 tsc)
{
    print("{\"sample\":%u,\"tsc\":%lu,\"more\":{", number, tsc);
    for (const char *separator = ""; reasons--; separator = ",") {
        u8 reason = *from++;
        print("%s\"%u\":%lu", separator, reason, get_varint(&from));
    }
    print("}}\n");
    return from;
}

static const u8 *print_mark(const u8 *from, u64 tsc)
{
    print("{\"mark\":");
    print_quoted((const char *)from, MARK_NAME);
    print(",\"tsc\":%lu}\n", tsc);
    return from + MARK_NAME;
}

void timeline_print(void)
{
    unsigned samples = 0;
    u64 tsc = 0;

    if (!timeline_log)
        return;
    for (const u8 *from = timeline_log->record, *end = from + timeline_log->used; from < end;) {
        u8 kind = *from++;
        tsc += get_varint(&from);
        from = kind == TIMELINE_MARK ? print_mark(from, tsc)
                                     : print_sample(from, kind, samples++, tsc);
    }
    if (timeline_log->lost)
        print("{\"timeline\":\"full\",\"tsc\":%lu,\"lost\":%lu}\n", timeline_log->full_tsc,
              timeline_log->lost);
}
