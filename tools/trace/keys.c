/* Different exits: a hash table of what they are. */
#include "trace.h"
#include <stdlib.h>

static struct site_key *keys;
static unsigned keys_used, *slots; /* 0: free, else a key's number, from 1 */
static unsigned slot_count = 1024;

static bool is_key(const struct site_key *key, const struct trace_record *r)
{
    return key->rip == r->rip && key->detail == r->detail && key->reason == r->reason &&
           key->mode == r->mode;
}

static unsigned *slot_of(const struct trace_record *r)
{
    u64 hash = (r->rip ^ r->detail * 31 ^ (u64)r->reason << 32 ^ (u64)r->mode << 40) *
               0x9E3779B97F4A7C15ull;
    unsigned at = (unsigned)(hash >> 32) & (slot_count - 1);
    while (slots[at] && !is_key(&keys[slots[at] - 1], r))
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static void grow(void)
{
    slot_count *= 4;
    free(slots);
    slots = calloc(slot_count, sizeof(*slots));
    struct site_key *more = realloc(keys, slot_count / 2 * sizeof(*keys));
    if (!slots || !more)
        fail("out of memory");
    keys = more;
    for (unsigned i = 0; i < keys_used; i++) {
        struct trace_record r = {.rip = keys[i].rip,
                                 .detail = keys[i].detail,
                                 .reason = keys[i].reason,
                                 .mode = keys[i].mode};
        *slot_of(&r) = i + 1;
    }
}

unsigned key_number(const struct trace_record *r)
{
    if (keys_used >= slot_count / 2 || !slots)
        grow();
    unsigned *slot = slot_of(r);
    if (!*slot) {
        keys[keys_used] = (struct site_key){
            .rip = r->rip, .detail = r->detail, .reason = r->reason, .mode = r->mode};
        *slot = ++keys_used;
    }
    return *slot - 1;
}

unsigned key_count(void)
{
    return keys_used;
}

const struct site_key *key_of(unsigned number)
{
    return &keys[number];
}
