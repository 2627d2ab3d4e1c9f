#include "stats/window.h"
#include "stats/counters.h"

/* Each copy begins a page. */
static u64 copy_size(const u64 sizes[WINDOW_PARTS], enum window_kind kind)
{
    return align_up(sizes[kind], PAGE_SIZE);
}

static u32 copies_of(enum window_kind kind, u32 vcpus)
{
    return kind == WINDOW_TIMELINE ? 1 : vcpus;
}

u64 window_pages(const u64 sizes[WINDOW_PARTS], u32 vcpus)
{
    u64 bytes = PAGE_SIZE;
    for (unsigned kind = 0; kind < WINDOW_PARTS; kind++)
        bytes += copies_of(kind, vcpus) * copy_size(sizes, kind);
    return bytes / PAGE_SIZE;
}

void *window_copy(const struct window *w, enum window_kind kind, u32 copy)
{
    const struct window_part *part = &w->part[kind];
    return part->size ? (u8 *)w + part->offset + copy * part->size : NULL;
}

void window_open(const struct window *of)
{
    window = of;
    run_facts = (struct run_facts *)&window->facts;
    statistics = window_copy(window, WINDOW_COUNTERS, 0);
    timeline_log = window_copy(window, WINDOW_TIMELINE, 0);
}

void window_init(void *pages, u64 physical, const u64 sizes[WINDOW_PARTS], u32 vcpus)
{
    static const u32 record_sizes[WINDOW_PARTS] = {
        [WINDOW_COUNTERS] = sizeof(struct reason_counter),
        [WINDOW_TIMELINE] = 1,
        [WINDOW_SITES] = sizeof(struct site),
        [WINDOW_HISTOGRAMS] = sizeof(u64),
        [WINDOW_TRACE] = sizeof(struct trace_record),
    };
    struct window *w = pages;
    u64 offset = PAGE_SIZE;
    *w = (struct window){
        .mark = WINDOW_MARK,
        .address = physical,
        .version = WINDOW_VERSION,
        .pages = (u32)window_pages(sizes, vcpus),
        .facts.vcpus = vcpus,
    };
    for (unsigned kind = 0; kind < WINDOW_PARTS; kind++) {
        w->part[kind] = (struct window_part){offset, copy_size(sizes, kind), copies_of(kind, vcpus),
                                             record_sizes[kind]};
        offset += copies_of(kind, vcpus) * copy_size(sizes, kind);
    }
    window_open(w);
    for (unsigned vcpu = 0; vcpu < vcpus; vcpu++)
        statistics_clear(&statistics[vcpu]);
}
