#include "vmx/kick.h"
#include "cpu/cpu.h"
#include "platform/apic.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"

void kick_others(const struct vcpu *self, enum kick kick)
{
    for (unsigned i = 0; i < vcpu_count; i++) {
        struct vcpu *other = &cpus[i]->vcpu;
        if (other == self)
            continue;
        __atomic_fetch_or(&other->kick, kick, __ATOMIC_SEQ_CST); /* before the NMI */
        apic_send_nmi(other->apic_id);
    }
}

void kick_all_to_flush_ept(const struct vcpu *self)
{
    flush_ept();
    kick_others(self, KICK_FLUSH_EPT);
}

static __attribute__((noreturn)) void halt_for_good(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

bool take_kick(struct vcpu *vcpu)
{
    u32 kick = __atomic_exchange_n(&vcpu->kick, 0, __ATOMIC_SEQ_CST);
    if (kick & KICK_STOP)
        halt_for_good();
    if (kick & KICK_FLUSH_EPT)
        flush_ept();
    return kick;
}
