/* Tally's command line. */
#ifndef TALLY_OPTIONS_H
#define TALLY_OPTIONS_H

#include "types.h"

/* Aids for testing, `test=a,b`: each arms something that a real run never needs. */
enum test_aid {
    TEST_ENTRY_FAIL_GUEST_STATE = 1 << 0,
    TEST_ENTRY_FAIL_MSR_LOAD = 1 << 1,
    TEST_TPR_THRESHOLD = 1 << 2,
    TEST_VIRTUAL_APIC = 1 << 3, /* APIC access, APIC write, virtualized EOI */
    TEST_EPT_MISCONFIG = 1 << 4,
    TEST_PREEMPTION_TIMER = 1 << 5,
    TEST_PML = 1 << 6,
    TEST_SPP = 1 << 7,
    TEST_MTF = 1 << 8,
    TEST_SMX = 1 << 9,
    TEST_ENTRY_RULES = 1 << 10,
    TEST_STACK_OVERFLOW = 1 << 11,
    TEST_ENTRY_FAIL_LATE = 1 << 12,
    TEST_ODD_CPU = 1 << 13, /* the other CPUs seem to differ from the first */
    TEST_MTF_STEP = 1 << 14,
};

struct options {
    u32 profile;   /* exits=minimal|kvm|all, default kvm: enum tally_profile */
    u32 report;    /* stats=table|json|none, or several with commas: enum report_format */
    u32 announce;  /* announce=yes|no: show a hypervisor in CPUID; 1 or 0 */
    u32 caps;      /* caps: print the VMX capabilities and stop; 1 or 0 */
    u32 cpus;      /* cpus=N: at most so many; 0 = all */
    u32 sample_ms; /* sample=MS: time line; 0 = off */
    u32 test;      /* test=NAME[,NAME]: enum test_aid */
};

/*
 * Parses Tally's command line over the defaults; of an option given twice the last one holds. A
 * first word with a '/' and no '=' is the image's path, as some boot loaders put it, and skipped.
 * An unknown word or value is an error: false comes back and `error` (size bytes) holds one line
 * that names the valid ones.
 */
bool options_parse(struct options *options, const char *command_line, char *error, size_t size);

#endif
