/* One vCPU: the guest registers that hardware does not keep, and what its CPU needs to run it. */
#ifndef TALLY_VCPU_H
#define TALLY_VCPU_H

#include "sites_layout.h"
#include "stats/counters.h"
#include "x86/instructions.h"
#include "x86/mtrr.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* Where a vCPU is, as other CPUs need to know. */
enum vcpu_presence {
    WAITS_FOR_SIPI, /* takes no NMIs; see take_sipi() */
    RUNS,
    STOPPED, /* for good, in Tally */
};

/* What is done after each exit's time, on the way that HOST_RIP takes while there are any. */
enum vcpu_chore {
    CHORE_REARM = 1 << 0, /* an exit control is off for one instruction, until the next exit */
    CHORE_REARM_LATER = 1 << 1,  /* the same, until the exit after this one */
    CHORE_SMI_BLOCKING = 1 << 2, /* every time, on a CPU that a SIPI leaves with SMIs blocked */
    CHORE_SAMPLE = 1 << 3,       /* the time line */
    CHORE_POSTS = 1 << 4,        /* marks of what is written to port 80h */
    CHORE_PHASES = 1 << 5,       /* marks of the first exits of kernel and user space */
    CHORE_RECORD = 1 << 6,       /* sites and trace */
};

/* The controls in force, as last written to the VMCS. vmx/controls.h negotiates them. */
struct controls {
    u32 pin, proc, proc2, exit, entry;
    u32 exception_bitmap;
    u64 proc3;              /* tertiary, 0 without PROC_ACTIVATE_TERTIARY */
    u64 xss_exiting;        /* XSS-exiting bitmap: components whose XSAVES, XRSTORS exit */
    u64 cr0_mask, cr4_mask; /* guest/host masks: the bits that Tally owns */
    u64 cr4_allowed;        /* bits of CR4 that the guest may set; others are #GP */
};

/* How an answer of CPUID in the cache is used; see exits/cpuid.c. */
enum cpuid_kind {
    CPUID_CONSTANT,
    CPUID_OSXSAVE, /* one bit follows the guest's CR4, ... */
    CPUID_OSPKE,   /* ... here, too; ... */
    CPUID_SYSCALL, /* ... 64-bit mode */
    CPUID_LIVE,    /* the CPU is asked each time */
};

struct cpuid_entry {
    u64 key; /* EAX and, above it, ECX as the guest gave them, if the answer is constant */
    struct cpuid_result result;
    u64 kind; /* enum cpuid_kind */
};

/* Of one vCPU, since APIC ids and the like differ. Direct-mapped. */
#define CPUID_CACHE_ENTRIES 64
struct cpuid_cache {
    struct cpuid_entry entry[CPUID_CACHE_ENTRIES];
};

/* The guest at an exit as the recorder wants it, before a handler has changed anything. */
struct seen {
    u32 eax, ecx;
    u64 mode; /* access rights of CS with what SEEN_… say, and above them those of SS */
    u64 rip;  /* linear */
};
#define SEEN_LEGACY BIT(20)  /* not in 64-bit mode, and so these count: */
#define SEEN_IA32E_SHIFT 10  /* of the entry control, to bit 19 */
#define SEEN_PE_SHIFT 18     /* of CR0.PE; RFLAGS.VM keeps its place, bit 17 */
#define SEEN_REASON_SHIFT 24 /* entry.asm's, beside the mode */

struct known_site; /* sites/sites.h */

/* Where exits are recorded. What is not asked for stands at a place that nobody reads. */
struct recorder {
    struct known_site *known;
    u64 *sequence;           /* odd while a row is being written */
    struct trace_log *trace; /* NULL: not asked for */
    struct trace_record *trace_next, *trace_end;
    struct trace_record *trace_turn; /* where it goes on after the end; NULL: nowhere */
    struct site_table *sites;        /* NULL, and histograms: not asked for */
    struct histograms *histograms;
    u64 cycles;                /* entry.asm's, for as long as it calls a function */
    struct known_site *learnt; /* the same */
    bool user_rips;            /* all bits of RIP in ring 3 */
};

#define NMIS_MACHINE_CHECK 0x80000000u /* a machine check came, too */

/*
 * Lies at the top of its CPU's stack: HOST_RSP is its address, so that the exit stores registers
 * relative to RSP and the stack of the handlers grows down from here.
 */
struct vcpu {
    /* Of the exit in progress, and only this CPU's. */
    u64 gpr[GPRS]; /* in the SDM's order; [RSP] lives in the VMCS: use vcpu_gpr() */
    u64 exit_tsc;
    struct reason_counter *counter; /* its reason's */
    u32 exit_reason;                /* the whole word */
    u32 vectoring;                  /* IDT-vectoring information; 0: none */
    struct seen seen;               /* only with CHORE_RECORD */

    /* Other CPUs write these, and so does this one: lib/atomic.h. */
    u32 kick;      /* enum kick: what other CPUs want, see smp/kick.h */
    bool kick_nmi; /* an NMI of a kick is on its way */
    bool deaf;     /* one did not arrive: kicks are left to the next exit */

    /* Two words that entry.asm looks at as one, just before VMRESUME. */
    u32 nmis;         /* that arrived in root operation, and NMIS_MACHINE_CHECK */
    u32 gprs_changed; /* a handler has changed RBP or one of R12 to R15; only this CPU writes it */

    /* Only this CPU writes these. */
    u32 chores;         /* enum vcpu_chore; set by vcpu_add_chore() */
    u32 presence;       /* enum vcpu_presence; others read it */
    u32 ept_generation; /* of kick.c, as far as this CPU has flushed; others read it */
    bool parked;        /* in HLT with IF = 0, where only an NMI or INIT wakes it; others read it */
    bool halted;        /* activity HLT was asked for and no event has been injected since */
    bool saves_hlt;     /* an exit from HLT has said so: sleep_on() */
    bool mark_waits;    /* in `mark`, for the time line */
    char mark[MARK_NAME];
    bool interrupt_waits; /* in the PIC or APIC until the guest can take it: take_interrupt() */
    bool init_unfinished; /* the state after INIT is still to be set: take_init() */
    bool shut_down;       /* by a triple fault that an emulated delivery ended in */
    u8 guest_nmis;        /* that wait for the guest: at most 2, one if it is handling one */
    bool machine_check;   /* waits for the guest, until the entry injects nothing else */
    u64 misc_enable;      /* bits of IA32_MISC_ENABLE that only the guest sees set */
    u64 tsc_moved;        /* what the guest's writes have added to this CPU's TSC */
    struct controls controls;
    struct cpuid_cache cpuid_cache;
    struct recorder recorder; /* others read what it points to */
    struct mtrr_state mtrr;   /* the guest's, not hardware's; others read the boot CPU's */

    /* Set once, before the guest runs. */
    u32 index; /* 0 is the boot CPU */
    u32 apic_id;
    u16 vpid;
    struct statistics *stats; /* in the window: others read them */
} __attribute__((aligned(64)));

/* What a handler wants done. Events are queued with vmx/events.h before returning EXIT_RETRY. */
enum exit_action {
    EXIT_ADVANCE, /* the instruction was carried out: step over it */
    EXIT_RETRY,   /* enter again without moving RIP */
    EXIT_STOP,    /* the guest is over: report and end the run */
};

/* A general register of the guest by its number; RSP comes from the VMCS. All 64 bits:
 * outside 64-bit mode the caller truncates, the upper halves are undefined there. */
u64 vcpu_gpr(const struct vcpu *vcpu, unsigned number);
void vcpu_set_gpr(struct vcpu *vcpu, unsigned number, u64 value);

/* Chores for the exits to come, of the vCPU whose VMCS is loaded here. */
void vcpu_add_chore(struct vcpu *vcpu, u32 chore);
void vcpu_drop_chores(struct vcpu *vcpu, u32 chores);

/* Where exits arrive, with RSP = the vCPU: HOST_RIP, that of a vCPU with chores, and of one that
 * records. */
extern struct exit_entries {
    void (*plain)(void), (*observed)(void), (*recorded)(void);
} exit_entries;

#endif
