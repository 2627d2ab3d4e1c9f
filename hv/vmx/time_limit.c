#include "vmx/vmcs.h"
#include "vmx/access.h"
#include "vmx/capabilities.h"

#define TIMER_MAX 0xFFFFFFFFu

static bool limited;
static u64 ahead; /* ticks of the timer that it does not hold yet */

static void wind_up(void)
{
    u64 span = ahead < TIMER_MAX ? ahead : TIMER_MAX;
    ahead -= span;
    vmwrite(VMX_PREEMPTION_TIMER_VALUE, span);
}

const char *time_limit_set(struct vcpu *vcpu, u32 seconds, u32 tsc_khz)
{
    const struct vmx_capabilities *c = &vmx_capabilities;
    if (!seconds)
        return NULL;
    if (!(c->word[WORD_PIN].allowed & PIN_PREEMPTION_TIMER))
        return "end=: this CPU cannot: activate VMX-preemption timer (pin-based control 6)";
    if (!(c->word[WORD_EXIT].allowed & EXIT_SAVE_PREEMPTION_TIMER))
        return "end=: this CPU cannot: save VMX-preemption timer value (VM-exit control 22)";
    if (!tsc_khz)
        return "end=: nothing tells the rate of this CPU's TSC";

    limited = true;
    ahead = (u64)seconds * 1000 * tsc_khz >> (c->misc & VMX_MISC_TIMER_RATE);
    wind_up();
    vcpu->controls.pin |= PIN_PREEMPTION_TIMER;
    vcpu->controls.exit |= EXIT_SAVE_PREEMPTION_TIMER;
    vmwrite(PIN_BASED_CONTROLS, vcpu->controls.pin);
    vmwrite(VM_EXIT_CONTROLS, vcpu->controls.exit);
    return NULL;
}

bool time_limit_reached(void)
{
    bool over = limited && !ahead;
    if (ahead)
        wind_up();
    return over;
}
