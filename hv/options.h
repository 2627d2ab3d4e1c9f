/* Tally's command line. */
#ifndef TALLY_OPTIONS_H
#define TALLY_OPTIONS_H

#include "types.h"

#define DEFAULT_SITES 16384u
#define SITES_MAX (1u << 20)
#define SITES_USER_RIPS (1u << 31) /* all bits of RIP in ring 3 */
#define TRACE_MAX 2048u
#define TRACE_LAST (1u << 31) /* the newest exits are kept, not the oldest */

#define MARK_POSTS 1u /* what is written to port 80h */
#define BOOT_DISK 1u  /* and the disk's number */
#define BOOT_NEXT 0x100u

struct options {
    u32 profile;   /* exits=minimal|kvm|all, default kvm: enum tally_profile */
    u32 report;    /* stats=table|json|none, or several with commas: enum report_format */
    u32 msr;       /* msr=drop|fault|open, default drop: enum msr_policy */
    u32 announce;  /* announce=yes|no: show a hypervisor in CPUID; 1 or 0 */
    u32 caps;      /* caps: print the VMX capabilities and stop; 1 or 0 */
    u32 marks;     /* marks=port80: MARK_POSTS */
    u32 last;      /* last: print what the last run has left in memory; 1 or 0 */
    u32 cpus;      /* cpus=N: at most so many; 0 = all */
    u32 end;       /* end=SECONDS: of the boot CPU in the guest; 0 = no limit */
    u32 sample_ms; /* sample=MS: time line; 0 = off */
    u32 sites;     /* sites=on|N|user: rows of each CPU's table, and SITES_USER_RIPS; 0 = off */
    u32 trace;     /* trace=MIB[,last]: of all CPUs, and TRACE_LAST; 0 = off */
    u32 boot;      /* boot=next|disk:N: BOOT_NEXT, or BOOT_DISK + N; 0: the guest is a module */
    u32 split;     /* split=yes|no: the guest's memory in pages of 4 KiB alone; 1 or 0 */
};

/*
 * Parses Tally's command line over the defaults; of an option given twice the last one holds. A
 * first word with a '/' and no '=' is the image's path, as some boot loaders put it, and skipped.
 * Returns NULL, or for an unknown word or value one line that names the valid ones.
 */
const char *options_parse(struct options *options, const char *command_line);

#endif
