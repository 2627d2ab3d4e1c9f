/* What this CPU's VMX can do, read once from its capability MSRs. */
#ifndef TALLY_VMX_CAPABILITIES_H
#define TALLY_VMX_CAPABILITIES_H

#include "types.h"

/* The words of control bits, in the order in which they are negotiated. */
enum control_word { WORD_PIN, WORD_PROC, WORD_PROC2, WORD_EXIT, WORD_ENTRY, CONTROL_WORDS };

/* One word: a control must have all of `forced` and may have no more than `allowed`. */
struct control_limits {
    u32 forced, allowed;
};

/* SDM vol. 3, appendix 'VMX Capability Reporting Facility'. A word that the CPU lacks is 0. */
struct vmx_capabilities {
    u64 basic, misc;
    u64 cr0_fixed0, cr0_fixed1; /* bits that must be 1; bits that may be 1 */
    u64 cr4_fixed0, cr4_fixed1;
    u64 ept_vpid, vmfunc;
    u64 proc3, exit2; /* 64-bit words: bits that may be 1 */
    struct control_limits word[CONTROL_WORDS];
    u8 physical_bits, linear_bits;
};

/* Those of the machine that Tally runs on: filled at start, the same on all CPUs. */
extern struct vmx_capabilities vmx_capabilities;

/*
 * Fills `c` by `read_msr` (rdmsr; host tests bring recorded values). Reads only the MSRs that the
 * others say exist. `address_sizes` is CPUID.80000008H:EAX.
 */
void vmx_capabilities_read(struct vmx_capabilities *c, u64 (*read_msr)(u32 msr), u32 address_sizes);

/* The SDM's, as in "VM-exit controls". */
const char *control_word_name(enum control_word word);

#endif
