#include "smp/kick.h"
#include "host/cpu.h"
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

static u32 ept_generation;        /* counts the flushes asked for */
static u32 hold_generation;       /* odd while somebody holds the others */
static const struct vcpu *holder; /* who */
static u32 leaving;               /* VMX operation: the run is over */
static void (*boot_cpu_errand)(void);
static void (*parting)(u32 last_command);

static u32 load(const u32 *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* As if one had come: the CPU finds it at its next exit. */
static void count_nmi(struct vcpu *other)
{
    __atomic_fetch_add(&other->nmis, 1, __ATOMIC_SEQ_CST);
}

/*
 * An NMI that is on its way answers for all that is asked until it arrives: a second one could
 * merge with it in the CPU, and then nobody knew how many of those that arrive are the guest's.
 */
static void kick_one(struct vcpu *other, enum kick kick)
{
    __atomic_fetch_or(&other->kick, kick, __ATOMIC_SEQ_CST); /* before all else */
    if (load(&other->presence) == WAITS_FOR_SIPI)
        return;
    bool on_its_way = __atomic_exchange_n(&other->kick_nmi, true, __ATOMIC_SEQ_CST);
    if (other->deaf && !on_its_way)
        count_nmi(other);
    if (kick == KICK_STOP || (!other->deaf && !on_its_way)) /* at the end one more does no harm */
        apic_send_nmi(other->apic_id);
}

void kick_others(const struct vcpu *self, enum kick kick)
{
    for (unsigned i = 0; i < vcpu_count; i++)
        if (&cpus[i]->vcpu != self)
            kick_one(&cpus[i]->vcpu, kick);
}

/* Whether `done` holds for every other CPU that can run. */
static bool all_others(const struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (unsigned i = 0; i < vcpu_count; i++) {
        const struct vcpu *other = &cpus[i]->vcpu;
        if (other != self && load(&other->presence) == RUNS && !done(other))
            return false;
    }
    return true;
}

/* A guest can switch an APIC off or change its identifier, and no NMI arrives any more. */
static void give_up(const struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (unsigned i = 0; i < vcpu_count; i++) {
        struct vcpu *other = &cpus[i]->vcpu;
        if (other == self || load(&other->presence) != RUNS || done(other) || other->deaf)
            continue;
        other->deaf = true;
        count_nmi(other);
    }
}

/* Until `done` holds for all others; false if that takes too long. */
static bool wait_for_others(struct vcpu *self, bool (*done)(const struct vcpu *other))
{
    for (u32 waited = 0; !all_others(self, done); waited += POLL_US) {
        if (waited >= ANSWER_WAIT_US) {
            give_up(self, done);
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
        if (load(&leaving))
            vmxoff_safe();
        cli();
        hlt(); /* until the next NMI */
    }
}

static __attribute__((noreturn)) void halt_for_good(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->presence, STOPPED, __ATOMIC_SEQ_CST);
    stay_in_tally();
}

static void run_errand(void)
{
    void (*errand)(void) = __atomic_exchange_n(&boot_cpu_errand, NULL, __ATOMIC_SEQ_CST);
    if (errand)
        errand();
}

static void be_held(struct vcpu *vcpu)
{
    u32 before = 0, generation, last_command = apic_last_command();
    for (;; before = generation) {
        generation = load(&hold_generation);
        if (before && generation != before)
            parting(last_command);
        if (generation % 2 == 0 || holder == vcpu)
            return;
        __atomic_store_n(&vcpu->held, generation, __ATOMIC_SEQ_CST);
        if (load(&vcpu->kick) & KICK_STOP)
            halt_for_good(vcpu);
        if (vcpu->index == 0)
            run_errand();
        pause();
    }
}

static void flush_old_ept(struct vcpu *vcpu)
{
    u32 generation = load(&ept_generation);
    flush_ept();
    __atomic_store_n(&vcpu->ept_generation, generation, __ATOMIC_SEQ_CST);
}

void take_kicks(struct vcpu *vcpu)
{
    u32 kick = __atomic_exchange_n(&vcpu->kick, 0, __ATOMIC_SEQ_CST);
    if (kick & KICK_STOP)
        halt_for_good(vcpu);
    if (kick & KICK_FLUSH_EPT)
        flush_old_ept(vcpu);
    if (kick & KICK_HOLD)
        be_held(vcpu);
}

void take_nmis(struct vcpu *vcpu)
{
    u32 nmis = __atomic_exchange_n(&vcpu->nmis, 0, __ATOMIC_SEQ_CST);
    if (nmis && __atomic_exchange_n(&vcpu->kick_nmi, false, __ATOMIC_SEQ_CST))
        nmis--;
    take_kicks(vcpu);
    if (nmis && load(&vcpu->presence) != WAITS_FOR_SIPI) /* a state in which nothing is injected */
        queue_nmis(vcpu, nmis);
}

static bool has_flushed(const struct vcpu *other)
{
    return load(&other->ept_generation) == load(&ept_generation) || other->deaf;
}

void flush_ept_everywhere(struct vcpu *self)
{
    __atomic_fetch_add(&ept_generation, 1, __ATOMIC_SEQ_CST);
    flush_old_ept(self);
    kick_others(self, KICK_FLUSH_EPT);
    wait_for_others(self, has_flushed);
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
    __atomic_store_n(&leaving, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct vcpu *other = &cpus[i]->vcpu;
        if (other == self)
            continue;
        if (i < vcpu_count && load(&other->presence) == WAITS_FOR_SIPI)
            apic_send_sipi(other->apic_id, 0);
        else
            apic_send_nmi(other->apic_id);
    }
    tsc_wait_us(LEAVE_WAIT_US);
    vmxoff_safe();
}

static bool is_held(const struct vcpu *other)
{
    return load(&other->held) == load(&hold_generation);
}

static void part_silently(u32 last_command)
{
    (void)last_command;
}

bool hold_others(struct vcpu *self)
{
    u32 free = load(&hold_generation) & ~1u;
    while (!__atomic_compare_exchange_n(&hold_generation, &free, free + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
        take_kicks(self);
        free &= ~1u;
    }
    holder = self;
    kick_others(self, KICK_HOLD);
    if (wait_for_others(self, is_held))
        return true;
    let_others_go(part_silently);
    return false;
}

void let_others_go(void (*what)(u32 last_command))
{
    parting = what;
    __atomic_fetch_add(&hold_generation, 1, __ATOMIC_SEQ_CST);
}

void give_errand_to_boot_cpu(void (*errand)(void))
{
    __atomic_store_n(&boot_cpu_errand, errand, __ATOMIC_SEQ_CST);
}
