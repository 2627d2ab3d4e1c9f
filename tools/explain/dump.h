/* Reading the dumps that hv/exits/dump.c prints. */
#ifndef TALLY_EXPLAIN_DUMP_H
#define TALLY_EXPLAIN_DUMP_H

#include "types.h"

enum dump_cause { DUMP_EXIT, DUMP_VMFAIL, DUMP_CAPS };

#define DUMP_FIELDS 0x8000
#define DUMP_MSR_FIRST 0x480
#define DUMP_MSRS 0x20
#define DUMP_REGISTERS 16

struct dump {
    enum dump_cause cause;
    u64 field[DUMP_FIELDS], msr[DUMP_MSRS], gpr[DUMP_REGISTERS];
    u64 list[2]; /* the entry of an MSR area */
    bool has_field[DUMP_FIELDS], has_list;
    u64 address_sizes; /* CPUID.80000008H:EAX */
    u64 sum;
};

enum dump_state {
    DUMP_NONE,    /* the line is no part of a dump */
    DUMP_MORE,    /* it is, and more has to come */
    DUMP_WHOLE,   /* it was the last */
    DUMP_CUT,     /* lines are missing or torn */
    DUMP_VERSION, /* of another version */
};

/* Takes one line of the console, without its end. What begins again forgets what came before. */
enum dump_state dump_line(struct dump *dump, const char *line);

/* Whether a dump has begun and not ended. */
bool dump_is_open(void);

#endif
