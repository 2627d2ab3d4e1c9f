#include "stats/report.h"
#include "stats/counters.h"
#include "stats/window.h"
#include "x86/instructions.h"

/* The contract's own leaves have the low half in ECX, Tally's additions in EAX. */
static struct cpuid_result in_ebx_ecx(u64 value)
{
    return (struct cpuid_result){.ebx = value >> 32, .ecx = (u32)value};
}

static struct cpuid_result in_ebx_eax(u64 value)
{
    return (struct cpuid_result){.ebx = value >> 32, .eax = (u32)value};
}

static struct cpuid_result reason_leaf(u32 leaf, u32 reason)
{
    if (!reason_is_defined(reason))
        return (struct cpuid_result){.edx = TALLY_UNDEFINED_REASON};

    struct reason_counter counter = statistics_of_reason(reason);
    switch (leaf) {
    case LEAF_REASON_EXITS: return (struct cpuid_result){.eax = (u32)counter.count};
    case LEAF_REASON_CYCLES: return in_ebx_ecx(counter.cycles);
    case LEAF_REASON_EXITS64: return in_ebx_eax(counter.count);
    case LEAF_REASON_MIN: return in_ebx_eax(counter.min);
    default: return in_ebx_eax(counter.max);
    }
}

static struct cpuid_result info_leaf(void)
{
    return (struct cpuid_result){
        .eax = TALLY_ABI_VERSION,
        .ebx = run_facts->vcpus,
        .ecx = run_facts->profile,
        .edx = run_facts->tsc_khz,
    };
}

static struct cpuid_result window_leaf(void)
{
    struct cpuid_result r = in_ebx_ecx(window->address);
    r.eax = window->version;
    r.edx = window->pages;
    return r;
}

struct cpuid_result statistics_leaf(const struct cpuid_result *in)
{
    switch (in->eax) {
    case LEAF_EXITS: return (struct cpuid_result){.eax = (u32)statistics_exits()};
    case LEAF_CYCLES: return in_ebx_ecx(statistics_cycles());
    case LEAF_REASON_EXITS:
    case LEAF_REASON_CYCLES:
    case LEAF_REASON_EXITS64:
    case LEAF_REASON_MIN:
    case LEAF_REASON_MAX: return reason_leaf(in->eax, in->ecx);
    case LEAF_INFO: return info_leaf();
    case LEAF_WINDOW: return window_leaf();
    default: return (struct cpuid_result){0};
    }
}
