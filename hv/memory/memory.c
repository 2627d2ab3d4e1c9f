#include "memory/memory.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "host/cpu.h"
#include "host/frames.h"
#include "host/paging.h"
#include "memory/guest_memory.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"

struct ept guest_ept;
static struct mtrr_state mtrr;
static u64 top, own, own_size;
static void *ones_page, *junk_page;
u64 guest_memory_denied;
static u64 shown, shown_size; /* the window: what the guest may read of Tally's memory */
static bool shown_whole;      /* no page of it has been replaced by guest_memory_deny() */
static struct spinlock lock;

unsigned guest_memory_frames(u64 ept_capabilities, u64 end)
{
    paging_features_read();
    mtrr_read(&mtrr);
    return ept_frames_needed(ept_capabilities, &mtrr, end) + 2; /* for ones and junk */
}

void guest_memory_init(u64 ept_capabilities, u64 end, u64 own_base, u64 size)
{
    top = end;
    own = own_base;
    own_size = size;
    ones_page = frame_alloc();
    junk_page = frame_alloc();
    memset(ones_page, 0xFF, PAGE_SIZE);
    memset(junk_page, 0xFF, PAGE_SIZE);
    mtrr_read(&mtrr);
    ept_init(&guest_ept, ept_capabilities, &mtrr);
    ept_map_identity(&guest_ept, 0, top);
    for (u64 page = own; page < own + own_size; page += PAGE_SIZE)
        ept_set(&guest_ept, page, 0);
}

bool is_own_memory(u64 physical)
{
    return physical - own < own_size;
}

void guest_memory_deny(u64 physical, bool write)
{
    u64 page = frame_physical(write ? junk_page : ones_page);
    u64 rights = write ? EPT_READ | EPT_WRITE : EPT_READ | EPT_EXECUTE;
    guest_memory_denied++;
    if (physical - shown < shown_size)
        shown_whole = false;
    ept_set(&guest_ept, align_down(physical, PAGE_SIZE),
            page | rights | (u64)CACHE_WB << EPT_TYPE_SHIFT);
    flush_ept(); /* other CPUs that still see the old page come here once more */
}

static void map_shown(void)
{
    shown_whole = true;
    for (u64 page = shown; page < shown + shown_size; page += PAGE_SIZE)
        ept_set(&guest_ept, page, page | EPT_READ | (u64)CACHE_WB << EPT_TYPE_SHIFT);
}

void guest_memory_show(u64 physical, u64 size)
{
    shown = physical;
    shown_size = size;
    map_shown();
}

/* Who has the lock may wait for this CPU. */
static void take_lock(struct vcpu *vcpu)
{
    while (!spin_try_lock(&lock))
        take_kicks(vcpu);
}

void guest_memory_show_again(struct vcpu *vcpu)
{
    if (shown_whole)
        return;
    take_lock(vcpu);
    map_shown();
    flush_ept_everywhere(vcpu);
    spin_unlock(&lock);
}

/* Only where the types change, unless they were too many to look at all of them the last time. */
static bool retype_memory(const struct mtrr_state *now)
{
    static bool incomplete;
    u64 from = 0, to = BIT(now->physical_bits);
    if (memcmp(now, &mtrr, offsetof(struct mtrr_state, physical_bits)) == 0)
        return false;
    bool changed = incomplete || mtrr_difference(&mtrr, now, &from, &to);
    mtrr = *now;
    if (changed)
        incomplete = !ept_retype(&guest_ept, from, to);
    return changed;
}

void guest_memory_retype(struct vcpu *vcpu)
{
    if (vcpu->index || !mtrrs_are_on(&vcpu->mtrr))
        return;
    take_lock(vcpu);
    if (retype_memory(&vcpu->mtrr))
        flush_ept_everywhere(vcpu);
    spin_unlock(&lock);
}

void guest_memory_say_odd_types(void)
{
    for (unsigned i = 1; i < vcpu_count; i++) {
        const struct vcpu *vcpu = &cpus[i]->vcpu;
        if (vcpu->presence == WAITS_FOR_SIPI ||
            memcmp(&vcpu->mtrr, &cpus[0]->vcpu.mtrr, sizeof(vcpu->mtrr)) == 0)
            continue;
        say("the MTRRs of CPU %u are not those of the boot CPU, which decide about memory types",
            i);
        return;
    }
}

bool guest_memory_map(struct vcpu *vcpu, u64 physical)
{
    take_lock(vcpu);
    bool mapped = ept_map_lazy(&guest_ept, physical);
    if (!mapped) {
        ept_drop_lazy(&guest_ept);
        flush_ept_everywhere(vcpu);
        mapped = ept_map_lazy(&guest_ept, physical);
    }
    spin_unlock(&lock);
    return mapped;
}

void *guest_ram(u64 address, size_t size)
{
    bool inside = address < top && size <= top - address;
    return inside && !is_own_memory(address) && !is_own_memory(address + size - 1)
               ? physical(address)
               : NULL;
}
