/*
 * Which features of the CPU the guest gets. What the table in features.c does not know is hidden in
 * CPUID, CR4, XCR0 and IA32_XSS, and a write to an MSR that it does not know never reaches the
 * register.
 */
#ifndef TALLY_FEATURES_H
#define TALLY_FEATURES_H

#include "types.h"
#include "x86/instructions.h"

/* What becomes of a RDMSR. The kinds from READ_FAULT on exit in every profile. */
enum msr_read_kind {
    READ_HARDWARE, /* also what the table does not know */
    READ_VMCS,
    READ_DEBUGCTL,
    READ_FAULT,
    READ_FEATURE_CONTROL,
    READ_MTRR,
    READ_CORE_CAPABILITIES,
    READ_MISC_ENABLE
};

/* And of a WRMSR. Those from WRITE_HARDWARE on exit only where the profile says so. */
enum msr_write_kind {
    WRITE_UNKNOWN,
    WRITE_DANGEROUS, /* swallowed, whatever the option msr= says */
    WRITE_FAULT,
    WRITE_IGNORED,
    WRITE_FEATURES, /* CPUID's answers are others afterwards */
    WRITE_APIC_BASE,
    WRITE_MTRR,
    WRITE_MISC_ENABLE,
    WRITE_TEST_CTRL,
    WRITE_XSS,
    WRITE_TSC,
    WRITE_HARDWARE, /* harmless: hardware judges the value */
    WRITE_VMCS_32,
    WRITE_CANONICAL,
    WRITE_PAT,
    WRITE_DEBUGCTL,
    WRITE_EFER
};

/* The numbers that the MSR bitmap knows: two ranges. SDM vol. 3, 'MSR-Bitmap Address'. */
#define MSR_RANGE 0x2000u
#define MSR_HIGH 0xC0000000u

/* One byte a number and direction. */
struct msr_kind {
    u8 read, write;
};
extern struct msr_kind msr_kinds[2 * MSR_RANGE]; /* of both ranges, one after the other */

/* Fills all from the table: first of all. */
void features_init(void);

/* Takes away what is only there with a control, and that one is not in force. */
void features_need(u32 proc2, u64 proc3);

/* The bits of a register that the guest may set, if the CPU has them. */
enum feature_register { FEATURES_XCR0, FEATURES_XSS, FEATURES_CR4, FEATURE_REGISTERS };
u64 features_bits(enum feature_register reg);

/* Takes out of the CPU's answer to CPUID what the guest does not get. */
void features_hide(struct cpuid_result *r, u32 leaf, u32 subleaf);

/* The kinds of an MSR above the first range. */
struct msr_kind high_msr_kind(u32 msr);

static inline struct msr_kind msr_kind(u32 msr)
{
    return likely(msr < MSR_RANGE) ? msr_kinds[msr] : high_msr_kind(msr);
}

#endif
