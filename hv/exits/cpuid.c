#include "exits/cpuid_msr.h"
#include "emulate/handlers.h"
#include "features.h"
#include "lib/string.h"
#include "memory/guest_memory.h"
#include "memory/memory.h"
#include "stats/report.h"
#include "stats/timeline.h"
#include "x86/msr.h"

#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define CPUID_7_ECX_OSPKE BIT(4)
#define CPUID_80000001_EDX_SYSCALL BIT(11)
#define CPUID_80000001_EDX_NX BIT(20)
#define LIMITED_HIGHEST_LEAF 2 /* by IA32_MISC_ENABLE */

bool cpuid_conceals_tally;

static u32 highest_basic_leaf(const struct vcpu *vcpu)
{
    u32 highest = cpuid(0, 0).eax;
    bool limited = vcpu->misc_enable & MISC_ENABLE_LIMIT_CPUID;
    return limited && highest > LIMITED_HIGHEST_LEAF ? LIMITED_HIGHEST_LEAF : highest;
}

/* Beyond the highest leaf of its range a CPU answers with its highest basic leaf. SDM, CPUID. */
static u32 effective_leaf(const struct vcpu *vcpu, u32 leaf)
{
    u32 highest_basic = highest_basic_leaf(vcpu);
    u32 highest = leaf >> 31 ? cpuid(0x80000000, 0).eax : highest_basic;
    return leaf <= highest ? leaf : highest_basic;
}

static struct cpuid_result hypervisor_leaf(u32 leaf)
{
    struct cpuid_result r = {0};
    if (leaf == LEAF_HYPERVISOR) {
        r.eax = LEAF_HYPERVISOR;
        memcpy(&r.ebx, TALLY_SIGNATURE, 12);
    }
    return r;
}

/* What the guest is told, but for the bits that follow its mode. */
static RARELY enum cpuid_kind guest_answer(struct cpuid_result *r, const struct vcpu *vcpu,
                                           u32 leaf, u32 subleaf)
{
    if (!cpuid_conceals_tally && leaf >> 8 == LEAF_HYPERVISOR >> 8) {
        *r = hypervisor_leaf(leaf);
        return CPUID_CONSTANT;
    }
    leaf = effective_leaf(vcpu, leaf);
    *r = cpuid(leaf, subleaf);
    features_hide(r, leaf, subleaf);

    switch (leaf) {
    case 0x0: r->eax = highest_basic_leaf(vcpu); return CPUID_CONSTANT;
    case 0x1: r->ecx |= cpuid_conceals_tally ? 0 : CPUID_1_ECX_HYPERVISOR; return CPUID_OSXSAVE;
    case 0x7: return subleaf ? CPUID_CONSTANT : CPUID_OSPKE;
    case 0xD: return subleaf > 1 ? CPUID_CONSTANT : CPUID_LIVE; /* EBX: by XCR0 and IA32_XSS */
    case 0x80000001:
        if (vcpu->misc_enable & MISC_ENABLE_XD_DISABLE)
            r->edx &= ~CPUID_80000001_EDX_NX;
        return CPUID_SYSCALL;
    case 0x80000008:
        r->eax = (r->eax & ~0xFFu) | paging_features.physical_address_width; /* fall through */
    default: return CPUID_CONSTANT;
    }
}

/* The CPU's own answer has these bits from Tally's CR4 and for 64-bit mode. */
static void follow_mode(struct cpuid_result *r, u32 kind)
{
    if (kind == CPUID_OSXSAVE && !(vmread(GUEST_CR4) & CR4_OSXSAVE))
        r->ecx &= ~CPUID_1_ECX_OSXSAVE;
    else if (kind == CPUID_OSXSAVE)
        r->ecx |= CPUID_1_ECX_OSXSAVE;
    else if (kind == CPUID_OSPKE && !(vmread(GUEST_CR4) & CR4_PKE))
        r->ecx &= ~CPUID_7_ECX_OSPKE;
    else if (kind == CPUID_OSPKE)
        r->ecx |= CPUID_7_ECX_OSPKE;
    else if (kind == CPUID_SYSCALL && !guest_64bit_code())
        r->edx &= ~CPUID_80000001_EDX_SYSCALL;
}

static enum exit_action give_result(struct vcpu *vcpu, const struct cpuid_result *r)
{
    vcpu->gpr[RAX] = r->eax;
    vcpu->gpr[RBX] = r->ebx;
    vcpu->gpr[RCX] = r->ecx;
    vcpu->gpr[RDX] = r->edx;
    return EXIT_ADVANCE;
}

/* The other bit of a key's lowest pair leads to another slot: so no guest can ask for it here. */
#define NOT_PLAIN(key) ((key) ^ 1)

static struct cpuid_entry *cache_entry(struct cpuid_cache *cache, u64 key)
{
    return &cache->entry[(key ^ key >> 29) % CPUID_CACHE_ENTRIES];
}

/* The mark itself is noted after the exit's time: with a time line each vCPU has that chore. */
static RARELY struct cpuid_result take_mark(struct vcpu *vcpu, const struct cpuid_result *in)
{
    const u32 letters[] = {in->ebx, in->ecx, in->edx, (u32)vcpu->gpr[RSI]};
    memcpy(vcpu->mark, letters, sizeof(vcpu->mark));
    u32 marks = timeline_count_mark();
    vcpu->mark_waits = marks;
    return (struct cpuid_result){.eax = marks};
}

/* Tally's own leaves. */
static __attribute__((noinline)) enum exit_action give_own_leaf(struct vcpu *vcpu)
{
    const u64 *gpr = vcpu->gpr;
    const struct cpuid_result in = {gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]};
    if (in.eax == LEAF_WINDOW)
        guest_memory_show_again(vcpu);
    struct cpuid_result r = in.eax == LEAF_MARK ? take_mark(vcpu, &in) : statistics_leaf(&in);
    return give_result(vcpu, &r);
}

/* All that is not the plain answer from the cache. */
static __attribute__((noinline)) enum exit_action slow_path(struct vcpu *vcpu, u64 key)
{
    u32 leaf = (u32)key, subleaf = key >> 32;
    if (is_statistics_leaf(leaf))
        return give_own_leaf(vcpu);
    struct cpuid_entry *entry = cache_entry(&vcpu->cpuid_cache, key);
    if (entry->key != NOT_PLAIN(key) || entry->kind == CPUID_LIVE) {
        entry->kind = guest_answer(&entry->result, vcpu, leaf, subleaf);
        entry->key = entry->kind == CPUID_CONSTANT ? key : NOT_PLAIN(key);
    }
    struct cpuid_result r = entry->result;
    follow_mode(&r, entry->kind);
    return give_result(vcpu, &r);
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
    u64 key = (u32)vcpu->gpr[RAX] | vcpu->gpr[RCX] << 32;
    const struct cpuid_entry *entry = cache_entry(&vcpu->cpuid_cache, key);

    if (likely(entry->key == key))
        return give_result(vcpu, &entry->result);
    return slow_path(vcpu, key);
}

RARELY void cpuid_forget(struct cpuid_cache *cache)
{
    for (unsigned i = 0; i < CPUID_CACHE_ENTRIES; i++)
        cache->entry[i] = (struct cpuid_entry){.key = i == 0, .kind = CPUID_LIVE};
}
