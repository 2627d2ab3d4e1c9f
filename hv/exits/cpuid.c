#include "exits/cpuid.h"
#include "emulate/handlers.h"
#include "features.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "stats/leaves.h"

#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define CPUID_7_ECX_OSPKE BIT(4)

#define PHYSICAL_BITS_MAX 48 /* what a 4-level EPT walks */

static bool announced = true;

void cpuid_announce(bool announce)
{
    announced = announce;
}

/* Beyond the highest leaf of its range a CPU answers with its highest basic leaf. SDM, CPUID. */
static u32 effective_leaf(u32 leaf)
{
    u32 highest_basic = cpuid(0, 0).eax;
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

/* What the guest is told, but for the bits that follow its CR4. */
static void fill(struct cpuid_entry *entry, u32 leaf, u32 subleaf)
{
    *entry = (struct cpuid_entry){.leaf = leaf, .subleaf = subleaf, .kind = CPUID_CONSTANT};
    struct cpuid_result *r = &entry->result;

    if (announced && leaf >> 8 == LEAF_HYPERVISOR >> 8) {
        *r = hypervisor_leaf(leaf);
        return;
    }
    leaf = effective_leaf(leaf);
    *r = cpuid(leaf, subleaf);
    features_hide(r, leaf, subleaf);

    if (leaf == 0x1) {
        r->ecx |= announced ? CPUID_1_ECX_HYPERVISOR : 0;
        entry->kind = CPUID_OSXSAVE;
    } else if (leaf == 0x7 && subleaf == 0) {
        entry->kind = CPUID_OSPKE;
    } else if (leaf == 0xD && subleaf <= 1) {
        entry->kind = CPUID_EMPTY; /* EBX follows XCR0 and IA32_XSS: ask each time */
    } else if (leaf == 0x80000008 && (u8)r->eax > PHYSICAL_BITS_MAX) {
        r->eax = (r->eax & ~0xFFu) | PHYSICAL_BITS_MAX;
    }
}

/* The CPU's own answer has these bits from Tally's CR4. */
static void follow_cr4(struct cpuid_result *r, u32 kind)
{
    if (kind == CPUID_OSXSAVE) {
        r->ecx &= ~CPUID_1_ECX_OSXSAVE;
        r->ecx |= vmread(GUEST_CR4) & CR4_OSXSAVE ? CPUID_1_ECX_OSXSAVE : 0;
    } else if (kind == CPUID_OSPKE) {
        r->ecx &= ~CPUID_7_ECX_OSPKE;
        r->ecx |= vmread(GUEST_CR4) & CR4_PKE ? CPUID_7_ECX_OSPKE : 0;
    }
}

static enum exit_action answer(struct vcpu *vcpu, const struct cpuid_result *r)
{
    vcpu->gpr[RAX] = r->eax;
    vcpu->gpr[RBX] = r->ebx;
    vcpu->gpr[RCX] = r->ecx;
    vcpu->gpr[RDX] = r->edx;
    return EXIT_ADVANCE;
}

static struct cpuid_entry *slot(struct cpuid_cache *cache, u32 leaf, u32 subleaf)
{
    return &cache->entry[(leaf ^ leaf >> 26 ^ subleaf << 3) % CPUID_CACHE_ENTRIES];
}

static bool holds(const struct cpuid_entry *entry, u32 leaf, u32 subleaf)
{
    return entry->leaf == leaf && entry->subleaf == subleaf;
}

/* All that is not the plain answer from the cache. */
static __attribute__((noinline)) enum exit_action slow_path(struct vcpu *vcpu)
{
    const u64 *gpr = vcpu->gpr;
    const struct cpuid_result in = {gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX]};
    struct cpuid_result r;

    if (is_statistics_leaf(in.eax)) {
        if (in.eax == LEAF_WINDOW)
            guest_memory_show_again(vcpu);
        r = statistics_leaf(&in, gpr[RSI], vcpu->tsc_moved);
        return answer(vcpu, &r);
    }
    struct cpuid_entry *entry = slot(&vcpu->cpuid_cache, in.eax, in.ecx);
    if (!holds(entry, in.eax, in.ecx) || entry->kind == CPUID_EMPTY)
        fill(entry, in.eax, in.ecx);
    r = entry->result;
    follow_cr4(&r, entry->kind);
    return answer(vcpu, &r);
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
    u32 leaf = vcpu->gpr[RAX], subleaf = vcpu->gpr[RCX];
    const struct cpuid_entry *entry = slot(&vcpu->cpuid_cache, leaf, subleaf);

    if (likely(holds(entry, leaf, subleaf) && entry->kind == CPUID_CONSTANT))
        return answer(vcpu, &entry->result);
    return slow_path(vcpu);
}

void cpuid_forget(struct cpuid_cache *cache)
{
    memset(cache, 0, sizeof(*cache));
}
