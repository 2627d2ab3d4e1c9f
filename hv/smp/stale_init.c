/*
 * How a stale INIT is dropped:
 *
 *   the CPU that has it                      the others; the boot CPU is one of them
 *   ---------------------------------------  ------------------------------------------------------
 *   gives `hold` a number, sends an errand   be_held(): each says in `held` which hold it is in,
 *   and waits until all are held             stays: a SIPI of the guest's could start the CPU below
 *                                            while it is outside VMX operation
 *   makes its code ready in the real-mode
 *   page, sets `wants_sipi`
 *   VMCLEAR, VMXOFF: now the INIT comes,     the boot CPU sends one SIPI after the other
 *   and a SIPI brings the CPU back by ap.asm
 *   come_back(): VMXON, and the vCPU is as
 *   the guest's SIPI left it
 *   -- or no INIT comes: it was a new one.
 *   VMXON, and the vCPU waits for a SIPI --
 *   clears `wants_sipi`; the page and its
 *   content are the guest's again
 *   clears `hold`, enters the guest          go on; one whose guest sent a SIPI to all repeats it
 */
#include "smp/stale_init.h"
#include "host/cpu.h"
#include "lib/atomic.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "smp/kick.h"
#include "smp/smp.h"
#include "vmx/access.h"
#include "vmx/capabilities.h"
#include "vmx/invalidate.h"
#include "vmx/vmcs.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define INIT_COMES_WITHIN_US 100
#define BETWEEN_SIPIS_US 200

/* In the APIC's command: delivery mode, destination shorthand and vector. */
#define COMMAND_MASK 0xC07FF
#define SIPI_TO_OTHERS(page) (0xC0600u | (page))

/* The restart in progress. */
static struct restart {
    u32 hold;                    /* its number; 0: there is none */
    struct vcpu *who;            /* NULL outside a hold */
    bool wants_sipi, sends_sipi; /* the CPU that restarts; the boot CPU, just now */
    u32 apic_id;
    u8 own_page, guest_page; /* of Tally's SIPI, and of the guest's that started the vCPU */
    u64 apic_base;
    void (*enter)(struct vcpu *vcpu);
} restart;

static struct stale_init_watch *watch_of(const struct vcpu *vcpu)
{
    return &cpus[vcpu->index]->watch;
}

/* But for NMIs, which may come at any time, and be Tally's own. */
static u64 count_exits(const struct vcpu *vcpu)
{
    u64 sum = 0;
    for (unsigned i = EXIT_EXCEPTION_NMI + 1; i < REASON_SLOTS; i++)
        sum += vcpu->stats->reason[i].count;
    return sum;
}

void stale_init_note_sipi(const struct vcpu *vcpu)
{
    watch_of(vcpu)->exits = count_exits(vcpu);
    watch_of(vcpu)->started = rdtsc();
}

/* The boot CPU, if one is wanted. It is lost on a CPU that runs. */
static void send_sipi(void)
{
    atomic_store(&restart.sends_sipi, true);
    if (atomic_load(&restart.wants_sipi))
        apic_send(restart.apic_id, SEND_SIPI(restart.own_page));
    atomic_store(&restart.sends_sipi, false);
}

/* Tally's last one has arrived when this returns: a vCPU that waits for SIPIs would take it. */
static void end_sipis(void)
{
    atomic_store(&restart.wants_sipi, false);
    while (atomic_load(&restart.sends_sipi))
        pause();
}

static void be_held(struct vcpu *vcpu)
{
    u32 hold = atomic_load(&restart.hold), command = apic_last_command();
    if (!hold || restart.who == vcpu)
        return;
    u64 since = rdtsc();
    atomic_store(&watch_of(vcpu)->held, hold);
    while (atomic_load(&restart.hold) == hold) {
        if (atomic_load(&vcpu->kick) & KICK_STOP)
            take_kicks(vcpu); /* and does not come back */
        if (vcpu->index == 0 && atomic_load(&restart.wants_sipi)) {
            send_sipi();
            tsc_wait_us(BETWEEN_SIPIS_US);
        }
        pause();
    }
    watch_of(vcpu)->started += rdtsc() - since; /* its guest stood still */
    /* Where an INIT stays pending, a SIPI to all reaches only the first CPU that waits for one. */
    if ((command & COMMAND_MASK) == SIPI_TO_OTHERS(restart.guest_page))
        apic_send(0, command);
}

static bool is_held(const struct vcpu *other)
{
    return atomic_load(&watch_of(other)->held) == atomic_load(&restart.hold);
}

static void let_others_go(void)
{
    restart.who = NULL;
    atomic_store(&restart.hold, 0);
}

/* From now on no other CPU runs the guest. Whoever comes second is held by the first. False: some
 * CPU does not answer, and none is held. */
static bool hold_others(struct vcpu *self)
{
    static u32 holds;
    u32 hold = atomic_add(&holds, 1) + 1;
    for (u32 none = 0; !atomic_replace(&restart.hold, &none, hold); none = 0)
        take_kicks(self);
    restart.who = self;
    if (send_errand(self, be_held, is_held))
        return true;
    let_others_go();
    return false;
}

/* In place of exits/entry.asm, which this exit does not pass again. */
static void count_cycles(const struct vcpu *vcpu)
{
    u64 cycles = rdtsc() - vcpu->exit_tsc;
    struct reason_counter part = {0, cycles, cycles, cycles};
    counter_add(vcpu->counter, &part);
}

static void enter_again(struct vcpu *vcpu)
{
    void (*enter)(struct vcpu *) = restart.enter;
    end_sipis();
    give_start_page_back();
    flush_guest_tlb(vcpu);
    let_others_go();
    count_cycles(vcpu);
    take_nmis(vcpu);
    enter(vcpu);
}

/* On an empty stack, from real mode. */
static void come_back(struct cpu *cpu)
{
    wrmsr(IA32_APIC_BASE, restart.apic_base); /* INIT leaves it alone, Bochs does not */
    cpu->vcpu.nmis = 0;                       /* any other is gone */
    cpu->vcpu.kick_nmi = false;
    vmx_enable(cpu, &vmx_capabilities);
    vcpu_drop_chores(&cpu->vcpu, CHORE_SMI_BLOCKING);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    enter_again(&cpu->vcpu);
}

/* Returns only if another CPU does not answer; nothing has been done then. */
static void drop_stale_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu))
{
    struct cpu *cpu = cpus[vcpu->index];
    if (!hold_others(vcpu))
        return;
    restart.enter = enter;
    restart.apic_id = vcpu->apic_id;
    restart.apic_base = rdmsr(IA32_APIC_BASE);
    restart.guest_page = (u8)(vmread(GUEST_CS_SELECTOR) >> 8);
    restart.own_page = lend_start_page(cpu, come_back);
    atomic_store(&restart.wants_sipi, true);
    vmx_disable(cpu);
    tsc_wait_us(INIT_COMES_WITHIN_US);

    /* Still here: no INIT was pending. */
    vmx_enable(cpu, &vmx_capabilities);
    vmcs_set_init_state(vcpu);
    enter_again(vcpu);
}

bool stale_init_passed_over(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu))
{
    if (vmread(GUEST_RIP) != 0) /* at once: a SIPI that comes before the vCPU waits is lost */
        return false;
    u64 soon = (u64)tsc_khz * INIT_COMES_WITHIN_US / 1000;
    const struct stale_init_watch *watch = watch_of(vcpu);
    u64 exits_since = count_exits(vcpu) - watch->exits; /* this one among them */
    if (exits_since > 2)
        return false;
    if (exits_since == 1 && vcpu->exit_tsc - watch->started < soon) /* so no WRMSR of the TSC */
        return true;
    drop_stale_init(vcpu, enter);
    return false;
}
