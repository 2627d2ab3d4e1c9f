#include "stats/window.h"
#include "stats/counters.h"

u64 window_pages(unsigned vcpus, u64 timeline)
{
    return 1 + vcpus + align_up(timeline, PAGE_SIZE) / PAGE_SIZE;
}

void window_open(struct window *window)
{
    const struct window_part *part = window->part;
    u8 *base = (u8 *)window;
    run_facts = &window->facts;
    statistics = (struct statistics *)(base + part[WINDOW_COUNTERS].offset);
    timeline_log = part[WINDOW_TIMELINE].size
                       ? (struct timeline_log *)(base + part[WINDOW_TIMELINE].offset)
                       : NULL;
}

void window_init(void *pages, u64 physical, unsigned vcpus, u64 timeline)
{
    struct window *window = pages;
    *window = (struct window){
        .mark = WINDOW_MARK,
        .address = physical,
        .version = WINDOW_VERSION,
        .pages = window_pages(vcpus, timeline),
        .facts.vcpus = vcpus,
        .part[WINDOW_COUNTERS] = {PAGE_SIZE, sizeof(struct statistics), vcpus,
                                  sizeof(struct reason_counter)},
        .part[WINDOW_TIMELINE] = {(1 + vcpus) * PAGE_SIZE, timeline, 1, 1},
    };
    window_open(window);
    for (unsigned vcpu = 0; vcpu < vcpus; vcpu++)
        statistics_clear(&statistics[vcpu]);
}
