/*
 * A kick:
 *
 *   the CPU that asks                        the other CPU
 *   ---------------------------------------  ------------------------------------------------------
 *   ors its wish into the other's `kick`
 *   if the other waits for a SIPI: no more   looks when the SIPI starts it
 *   sets its `kick_nmi`; if that was clear,
 *   sends an NMI                             exits, or its NMI gate runs: `nmis` grows
 *                                            take_nmis(): clears `nmis`, then `kick_nmi`; if this
 *                                            was set, one of the NMIs was Tally's, the rest is the
 *                                            guest's
 *                                            take_kicks(): clears `kick`, does what was in it, says
 *                                            so in ept_generation, presence or the errand's way
 *   waits until all have said so, and takes
 *   its own kicks meanwhile
 *   after a second without: makes the other
 *   `deaf` and adds 1 to its `nmis`          finds this at its next exit, whatever causes it
 *
 * An NMI that is on its way answers for all that is asked until it arrives: a second one could
 * merge with it in the CPU, and then nobody knew how many of those that arrive are the guest's.
 */
#include "smp/kick.h"
#include "host/cpu.h"
#include "lib/atomic.h"
#include "lib/safe.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "x86/instructions.h"

#define STOP_WAIT_US 100000
#define ANSWER_WAIT_US 1000000 /* more than a CPU of a busy machine below stands still */
#define POLL_US 1
#define IPI_DELIVERY_US 10 /* more than an IPI takes */
#define LEAVE_WAIT_US 1000 /* more than it takes to wake up and execute VMXOFF */

static u32 ept_generation;                        /* counts the flushes asked for */
static bool run_is_over;                          /* nobody needs VMX operation any more */
static void (*current_errand)(struct vcpu *vcpu); /* of KICK_ERRAND */

static void kick_one(struct vcpu *other, enum kick kick)
{
    atomic_or(&other->kick, kick); /* before all else */
    if (atomic_load(&other->presence) == WAITS_FOR_SIPI)
        return;
    bool on_its_way = atomic_exchange(&other->kick_nmi, true);
    if (other->deaf && !on_its_way)
        atomic_add(&other->nmis, 1);                        /* as if one had come */
    if (kick == KICK_STOP || (!other->deaf && !on_its_way)) /* at the end one more does no harm */
        apic_send(other->apic_id, SEND_NMI);
}

void kick_others(const struct vcpu *self, enum kick kick)
{
    for (unsigned i = 0; i < vcpu_count; i++)
        if (&cpus[i]->vcpu != self)
            kick_one(&cpus[i]->vcpu, kick);
}

/* Whether `other` runs the guest and `done` does not hold for it yet. */
static bool is_awaited(const struct vcpu *self, const struct vcpu *other,
                       bool (*done)(const struct vcpu *other))
{
    return other != self && atomic_load(&other->presence) == RUNS && !done(other);
}

static bool all_others(const struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (unsigned i = 0; i < vcpu_count; i++)
        if (is_awaited(self, &cpus[i]->vcpu, done))
            return false;
    return true;
}

/* A guest can switch an APIC off or change its identifier, and no NMI arrives any more. */
static void take_for_deaf(const struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (unsigned i = 0; i < vcpu_count; i++) {
        struct vcpu *other = &cpus[i]->vcpu;
        if (is_awaited(self, other, done) && !atomic_exchange(&other->deaf, true))
            atomic_add(&other->nmis, 1);
    }
}

/* Until `done` holds for all others; false if that takes too long. */
static bool wait_for_others(struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (u32 waited = 0; !all_others(self, done); waited += POLL_US) {
        if (waited >= ANSWER_WAIT_US) {
            take_for_deaf(self, done);
            return false;
        }
        take_kicks(self);
        tsc_wait_us(POLL_US);
    }
    return true;
}

void stay_in_tally(void)
{
    for (;;) {
        if (atomic_load(&run_is_over))
            vmxoff_safe();
        cli();
        hlt(); /* until the next NMI */
    }
}

static __attribute__((noreturn)) void stop_here(struct vcpu *vcpu)
{
    atomic_store(&vcpu->presence, STOPPED);
    stay_in_tally();
}

static void flush_old_ept(struct vcpu *vcpu)
{
    u32 generation = atomic_load(&ept_generation); /* before the flush: later ones ask again */
    flush_ept();
    atomic_store(&vcpu->ept_generation, generation);
}

void take_kicks(struct vcpu *vcpu)
{
    u32 kick = atomic_exchange(&vcpu->kick, 0);
    if (kick & KICK_STOP)
        stop_here(vcpu);
    if (kick & KICK_FLUSH_EPT)
        flush_old_ept(vcpu);
    if (kick & KICK_ERRAND)
        atomic_load (&current_errand)(vcpu);
}

void take_nmis(struct vcpu *vcpu)
{
    u32 noted = atomic_exchange(&vcpu->nmis, 0), nmis = noted & ~NMIS_MACHINE_CHECK;
    if (nmis && atomic_exchange(&vcpu->kick_nmi, false))
        nmis--;
    take_kicks(vcpu);
    if (atomic_load(&vcpu->presence) == WAITS_FOR_SIPI) /* there, nothing is injected */
        return;
    if (noted & NMIS_MACHINE_CHECK)
        queue_machine_check(vcpu);
    if (nmis)
        queue_nmis(vcpu, nmis);
}

static bool has_flushed(const struct vcpu *other)
{
    return atomic_load(&other->ept_generation) == atomic_load(&ept_generation) ||
           atomic_load(&other->deaf);
}

void flush_ept_everywhere(struct vcpu *self)
{
    atomic_add(&ept_generation, 1);
    flush_old_ept(self);
    kick_others(self, KICK_FLUSH_EPT);
    wait_for_others(self, has_flushed);
}

bool send_errand(struct vcpu *self, void (*errand)(struct vcpu *other),
                 bool (*done)(const struct vcpu *other))
{
    atomic_store(&current_errand, errand);
    kick_others(self, KICK_ERRAND);
    return wait_for_others(self, done);
}

static bool has_stopped(const struct vcpu *other)
{
    (void)other; /* it RUNS */
    return false;
}

/* A SIPI that was sent before its sender stopped may still start a CPU: the second look sees it. */
static bool all_have_stopped(const struct vcpu *self)
{
    if (!all_others(self, has_stopped))
        return false;
    tsc_wait_us(IPI_DELIVERY_US);
    return all_others(self, has_stopped);
}

bool stop_others(struct vcpu *self)
{
    kick_others(self, KICK_STOP);
    for (u32 waited = 0; waited < STOP_WAIT_US; waited += IPI_DELIVERY_US) {
        if (all_have_stopped(self))
            return true;
        tsc_wait_us(IPI_DELIVERY_US);
    }
    return false;
}

/* A vCPU that waits for a SIPI hears nothing else; started, it finds that it was to stop. */
void let_all_leave(const struct vcpu *self)
{
    atomic_store(&run_is_over, true);
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct vcpu *other = &cpus[i]->vcpu;
        if (other == self)
            continue;
        if (i < vcpu_count && atomic_load(&other->presence) == WAITS_FOR_SIPI)
            apic_send(other->apic_id, SEND_SIPI(0));
        else
            apic_send(other->apic_id, SEND_NMI);
    }
    tsc_wait_us(LEAVE_WAIT_US);
    vmxoff_safe();
}
