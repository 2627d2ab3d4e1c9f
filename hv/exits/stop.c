#include "exits/stop.h"
#include "lib/print.h"
#include "platform/power.h"
#include "stats/report.h"
#include "stats/timeline.h"
#include "vmx/access.h"
#include "vmx/kick.h"
#include "vmx/memory.h"

static unsigned formats;
static u32 stopping;

void stop_init(unsigned report_formats)
{
    formats = report_formats;
}

/* How the guest ended, and what that means for whoever started the run. */
static u32 verdict(const struct vcpu *vcpu)
{
    switch (vcpu->exit_reason & EXIT_REASON_BASIC) {
    case EXIT_IO_INSTRUCTION: say("the guest asked for: %s", power_way()); return power_verdict();
    case EXIT_HLT: say("every CPU of the guest is halted for good"); return VERDICT_PASSED;
    case EXIT_INIT_SIGNAL: say("the guest reset itself by INIT"); return VERDICT_PASSED;
    case EXIT_TRIPLE_FAULT: return VERDICT_GUEST_CRASHED;
    default: return VERDICT_TALLY_ERROR;
    }
}

void stop_guest(struct vcpu *vcpu)
{
    if (__atomic_exchange_n(&stopping, 1, __ATOMIC_SEQ_CST))
        for (;;) /* another CPU was first; its kick ends this one */
            take_kicks(vcpu);
    bool exact = stop_others(vcpu);
    u32 value = verdict(vcpu);
    if (!exact)
        say("a CPU does not stop; the report may lack its last exits");
    if (guest_memory_denied())
        say("the guest's attempts on Tally's memory: %lu", guest_memory_denied());
    report_print(formats);
    power_end(value);
}
