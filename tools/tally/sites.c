/* The sites with most exits, those of all vCPUs added up. */
#include "commands.h"
#include "sites/words.h"
#include "stats/counters.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    return memcmp(&((const struct site *)a)->key, &((const struct site *)b)->key,
                  sizeof(struct site_key));
}

static int most_first(const void *a, const void *b)
{
    const struct site *x = a, *y = b;
    return x->counter.count < y->counter.count   ? 1
           : x->counter.count > y->counter.count ? -1
                                                 : by_key(a, b);
}

/* All rows in use, in one list; with `details` no matter where they come from. */
static size_t gather(const struct window *w, struct site **list, bool details)
{
    size_t n = 0, room = 0;
    for (u32 vcpu = 0; vcpu < w->facts.vcpus; vcpu++)
        room += ((const struct site_table *)window_copy(w, WINDOW_SITES, vcpu))->rows;
    *list = take_memory((room + 1) * sizeof(struct site));
    for (u32 vcpu = 0; vcpu < w->facts.vcpus; vcpu++) {
        const struct site_table *t = window_copy(w, WINDOW_SITES, vcpu);
        for (u64 row = 0; row < t->rows; row++) {
            if (!t->site[row].key.what)
                continue;
            (*list)[n] = t->site[row];
            if (details) {
                (*list)[n].key.rip = 0;
                (*list)[n].key.mode = 0;
            }
            n++;
        }
    }
    return n;
}

static size_t merge(struct site *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof(*list), by_key);
    for (size_t i = 0; i < n; i++)
        if (kept && !by_key(&list[kept - 1], &list[i]))
            counter_add(&list[kept - 1].counter, &list[i].counter);
        else
            list[kept++] = list[i];
    qsort(list, kept, sizeof(*list), most_first);
    return kept;
}

size_t sites_list(const struct window *w, struct site **list, bool details)
{
    size_t n = gather(w, list, details);
    return merge(*list, n);
}

void sites_print_row(const struct site *s, u64 all)
{
    char detail[40], mode[16];
    site_detail_text(detail, sizeof(detail), s->key.reason, s->key.detail);
    site_mode_text(mode, sizeof(mode), s->key.mode);
    printf("  %-20s %-18s %-34s %-8s %10llu %5.1f%% %9llu\n", reason_name(s->key.reason), detail,
           function_at(s->key.rip, s->key.mode), mode, (unsigned long long)s->counter.count,
           all ? 100.0 * (double)s->counter.count / (double)all : 0,
           (unsigned long long)(s->counter.count ? s->counter.cycles / s->counter.count : 0));
}

void sites_print_heading(void)
{
    printf("  %-20s %-18s %-34s %-8s %10s %6s %9s\n", "reason", "detail", "where", "mode", "exits",
           "exits%", "avg");
}

int command_sites(const struct options *o)
{
    struct reading before, after;
    struct site *list;
    int status = run_between(o, &before, &after, PART(SITES));
    if (!after.window->part[WINDOW_SITES].size) {
        fprintf(stderr,
                "tally: no sites are recorded, or not to be read (%s); start Tally with sites=on\n",
                where_from());
        return STATUS_NO_TALLY;
    }
    window_open(after.window);
    size_t n = sites_list(after.window, &list, false);
    size_t rows = o->times < 0 ? 20 : o->times ? (size_t)o->times : n;
    sites_print_heading();
    for (size_t i = 0; i < n && i < rows; i++)
        sites_print_row(&list[i], statistics_exits());
    if (n > rows)
        printf("  and %zu more sites (-n 0: all)\n", n - rows);
    return status;
}
