/*
 * Random instructions in every mode: snippets made at random, run one after the other, with the
 * machine put right and Tally's statistics checked in between. docs/fuzz.md.
 */
#ifndef GUEST_FUZZ_H
#define GUEST_FUZZ_H

#include "harness/legacy.h"
#include "harness/run.h"
#include "x86/instructions.h"

#define SNIPPET_SIZE 1536
#define FUZZ_GROUP 64 /* snippets that are compared as one */

struct snippet {
    enum mode mode;
    u32 bits; /* 64, 32 or 16 */
    bool user, legacy;
    bool has_task, has_task16;
    union { /* what it switches to */
        struct tss32 task;
        struct tss16 task16;
    };
    u64 call_gate[2];    /* the second for IA-32e mode only */
    bool unpaged, paged; /* what is made now runs so, and the mode's other snippets do not */
    bool changes_idt;    /* and in between no trap may come */
    bool raw;    /* bytes that mean nothing in particular, in ring 3 behind closed page tables */
    u64 touched; /* bit n: may have written MSR n of fuzz_msrs */
    u32 length;
    u8 code[SNIPPET_SIZE];
    bool starts[SNIPPET_SIZE]; /* where an instruction starts: a fault goes on at the next one */
    /* Where a register still holds what no two runs have the same: left_out, or 0. */
    u8 unequal[SNIPPET_SIZE];
};

/* Why a snippet is not compared. docs/fuzz.md. */
enum fuzz_left_out { COMPARED, ENDED_BY_TIMER, ENDED_AT_A_CLOCK, ENDED_AT_HIDDEN_BITS, LEFT_OUT };

struct fuzz_options {
    u64 seed, count;
    bool compare;           /* print digests */
    u64 hidden, hidden_end; /* Tally's memory, in the bare run, too; 0 = none */
    const char *show;       /* numbers of snippets to show */
    const char *groups;     /* if given, only these are run, and each snippet has its digest */
};
extern struct fuzz_options fuzz_options;
extern const char *const fuzz_left_out_names[LEFT_OUT];

/* Runs what the command line asks for:
 * fuzz=SEED,COUNT [compare=BASE,END] [groups=N,...] [show=N,...]. */
void fuzz(void);

/* fuzz_templates.c */
void fuzz_make_snippet(struct snippet *snippet);

/* fuzz_tasks.c: the other task's descriptors. */
void fuzz_task_init(void);

/* fuzz_random.c: a xorshift generator with 64 bits of state. */
void fuzz_seed(u64 seed);
u64 fuzz_random(void);
u32 fuzz_below(u32 end);
bool fuzz_one_in(u32 n);
#define PICK(table) ((table)[fuzz_below(ARRAY_SIZE(table))])

/* fuzz_state.c: what a snippet may change, and how it is put back. */
struct fuzz_msr {
    u32 number;
    enum {
        ANY_VALUE,
        FLIP_BITS,
        NEAR,
        SELF_IPI
    } values;   /* NEAR: a little beside the present value */
    u64 flips;  /* FLIP_BITS: which may differ from `value` */
    u64 value;  /* at the start */
    bool there; /* can be read and written */
};
extern struct fuzz_msr fuzz_msrs[];
extern const u32 fuzz_msrs_count;

/* Bits of snippet.touched behind those of the MSRs. */
#define TOUCHED_CUT BIT(56) /* 16-bit code with an address that does not fit */
#define TOUCHED_PORTS BIT(57)
#define TOUCHED_HIDDEN BIT(58) /* an operand lies in Tally's memory */
#define TOUCHED_MEMORY (TOUCHED_CUT | TOUCHED_HIDDEN | TOUCHED_PORTS)
#define TOUCHED_CR8 BIT(59)
#define TOUCHED_DEBUG_REGISTERS BIT(60)
#define TOUCHED_TABLES BIT(61) /* GDTR, IDTR, LDTR */
#define TOUCHED_CR3 BIT(62)
#define TOUCHED_XCR0 BIT(63)

struct fuzz_controls {
    u64 cr0, cr3, cr4, xcr0, closed_cr3;
    struct descriptor_table_register gdtr, idtr;
};
extern struct fuzz_controls fuzz_controls; /* between snippets */

void fuzz_state_init(void);
void fuzz_state_restore(u64 touched);

/* fuzz_memory_state.c: the memory that a snippet may change. */
void fuzz_memory_init(void);
void fuzz_memory_reset(u64 touched);
void fuzz_memory_prepare(const struct snippet *snippet);
void fuzz_memory_fold(const struct snippet *snippet);
/* Closes all but the pages of the snippet to ring 3, and opens them again. */
void fuzz_close_memory(void);
void fuzz_open_memory(void);

/* fuzz_digest.c: what software can see, folded into a digest, or shown, too. */
void fuzz_digest_begin(bool show);
void fuzz_fold(const char *name, u64 value);
/* Memory in whole 8 bytes; `before` is what it was, to show what has changed. */
void fuzz_fold_memory(const char *name, const void *memory, const void *before, u64 size);
void fuzz_show_before(const struct run *run);
void fuzz_fold_event(const struct trap_frame *frame);
void fuzz_fold_run(const struct run *run);
void fuzz_fold_registers(u64 touched);
void fuzz_digest_end(u64 index, bool last, const char *left_out);

/* fuzz_checks.c: NULL, or what is wrong. */
void fuzz_checks_init(void);
const char *fuzz_check(void);

#endif
