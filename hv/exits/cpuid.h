/* Answers of CPUID: the processor's own, less what Tally keeps from the guest. */
#ifndef TALLY_EXITS_CPUID_H
#define TALLY_EXITS_CPUID_H

#include "x86/instructions.h"

/* How an answer in the cache is used. */
enum cpuid_kind {
    CPUID_EMPTY,
    CPUID_CONSTANT,
    CPUID_OSXSAVE, /* one bit follows the guest's CR4 */
    CPUID_OSPKE,   /* so it does here */
};

struct cpuid_entry {
    u32 leaf, subleaf; /* EAX and ECX as the guest gave them */
    struct cpuid_result result;
    u32 kind; /* enum cpuid_kind */
    u32 unused;
};

/* Of one vCPU, since APIC ids and the like differ. Direct-mapped; all zero at start. */
#define CPUID_CACHE_ENTRIES 64
struct cpuid_cache {
    struct cpuid_entry entry[CPUID_CACHE_ENTRIES];
};

/* Whether leaf 0x40000000 and CPUID.1:ECX[31] show Tally to the guest; they do unless told. */
void cpuid_announce(bool announce);

/* For after a WRMSR that switches features: the next answers come from the CPU again. */
void cpuid_forget(struct cpuid_cache *cache);

#endif
