#include "exits/entry.h"
#include "lib/print.h"
#include "platform/console.h"
#include "platform/power.h"
#include "sites/sites.h"
#include "sites/sites_print.h"
#include "stats/report.h"
#include "stats/timeline.h"
#include "stats/window.h"
#include "vmx/guest_state.h"
#include "smp/kick.h"
#include "memory/memory.h"
#include "lib/atomic.h"

static struct vcpu *stopper; /* the CPU that ends the run */

static void leave_vmx_operation(void)
{
    let_all_leave(stopper);
}

static void say_triple_fault(const struct vcpu *vcpu)
{
    say("the guest's CPU %u shut down by a triple fault at RIP %lx", vcpu->index,
        vmread(GUEST_RIP));
    say("  cr0 %lx  cr3 %lx  cr4 %lx  efer %lx  cs %lx  ss %lx  cpl %u  rsp %lx  rflags %lx",
        vmread(GUEST_CR0), vmread(GUEST_CR3), vmread(GUEST_CR4), vmread(GUEST_IA32_EFER),
        vmread(GUEST_CS_SELECTOR), vmread(GUEST_SS_SELECTOR), guest_cpl(), vmread(GUEST_RSP),
        vmread(GUEST_RFLAGS));
}

/* How the guest ended, and what that means for whoever started the run. */
static u32 verdict_of_end(const struct vcpu *vcpu)
{
    if (vcpu->shut_down) {
        say_triple_fault(vcpu);
        return VERDICT_GUEST_CRASHED;
    }
    switch (vcpu->exit_reason & EXIT_REASON_BASIC) {
    case EXIT_IO_INSTRUCTION: say("the guest asked for: %s", power_way()); return power_verdict();
    case EXIT_HLT: say("every CPU of the guest is halted for good"); return VERDICT_PASSED;
    case EXIT_INIT_SIGNAL: say("the guest reset itself by INIT"); return VERDICT_PASSED;
    case EXIT_PREEMPTION_TIMER:
        say("end=: the boot CPU has had its time in the guest; HLT counts, exits do not");
        return VERDICT_PASSED;
    default: return VERDICT_TALLY_ERROR;
    }
}

bool stop_other_cpus(struct vcpu *vcpu)
{
    static bool all_stopped;
    struct vcpu *nobody = NULL;
    if (console_screen_alone())
        console_show_on_screen();
    if (atomic_replace(&stopper, &nobody, vcpu))
        all_stopped = stop_others(vcpu);
    else if (nobody != vcpu)
        for (;;) /* another CPU was first; its kick ends this one */
            take_kicks(vcpu);
    return all_stopped;
}

void stop_guest(struct vcpu *vcpu)
{
    bool exact = stop_other_cpus(vcpu);
    u32 value = verdict_of_end(vcpu);
    if (!exact)
        say("a CPU does not stop; the report may lack its last exits");
    guest_memory_say_odd_types();
    if (guest_memory_denied)
        say("the guest's attempts on Tally's memory: %lu", guest_memory_denied);
    last_run_keep(power_way());
    timeline_end(vcpu->exit_tsc - vcpu->tsc_moved);
    record_last_exits(vcpu);
    if (console_screen_alone())
        report_print_short(console_screen_alone());
    else
        report_print(vcpu->exit_tsc - vcpu->tsc_moved - run_facts->start_tsc, sites_print);
    ACCESSES_PRINT();
    power_before_last_write = leave_vmx_operation;
    power_end(value);
}
