/* One vCPU: the guest registers that hardware does not keep, and what its CPU needs to run it. */
#ifndef TALLY_VMX_VCPU_H
#define TALLY_VMX_VCPU_H

#include "exits/cpuid.h"
#include "stats/counters.h"
#include "x86/registers.h"
#include "x86/vmx.h"

/* Reasons to call vcpu_work() before the next entry; set by the CPU itself and by its NMI gate. */
enum vcpu_work {
    WORK_NMI = 1 << 0,         /* an NMI arrived while Tally ran */
    WORK_KICK = 1 << 1,        /* another CPU wants something, see vcpu.kick */
    WORK_SMI_BLOCKING = 1 << 2, /* clear interruptibility bit 2 (left set by Bochs 2.7 after SIPI) */
    WORK_INVEPT = 1 << 3,      /* the EPT lost rights: flush */
    WORK_REARM = 1 << 4,       /* give back an exit control that was off for one instruction */
};

/* The controls in force, as last written to the VMCS. vmx/controls.h negotiates them. */
struct controls {
    u32 pin, proc, proc2, exit, entry;
    u32 exception_bitmap;
    u64 proc3;                   /* tertiary, 0 without PROC_ACTIVATE_TERTIARY */
    u64 xss_exiting;             /* XSS-exiting bitmap: components whose XSAVES, XRSTORS exit */
    u64 cr0_mask, cr4_mask;      /* guest/host masks: the bits that Tally owns */
    u64 cr0_allowed, cr4_allowed; /* bits that the guest may set; others are #GP */
};

/*
 * Lies at the top of its CPU's stack: HOST_RSP is its address, so that the exit stores registers
 * relative to RSP and the stack of the handlers grows down from here.
 */
struct vcpu {
    u64 gpr[GPRS]; /* in the SDM's order; [RSP] lives in the VMCS: use vcpu_gpr() */
    u64 exit_tsc;  /* at the exit in progress */
    u32 work;      /* enum vcpu_work */
    u32 exit_reason; /* the whole word of the exit in progress */
    u32 vectoring;   /* IDT-vectoring information of the exit in progress; 0: none */
    u32 index;       /* 0 is the boot CPU */
    u32 apic_id;
    u16 vpid;
    bool halted; /* activity HLT was asked for and no event has been injected since */
    struct controls controls;
    u64 pending_interrupts[4]; /* acknowledged external interrupts not yet injected, by vector */
    struct statistics stats;
    struct cpuid_cache cpuid_cache;
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

/* Enters the guest for the first time (VMLAUNCH) and never returns. */
__attribute__((noreturn)) void vcpu_run(struct vcpu *vcpu);

#endif
