#include "smp/stale_init.h"
#include "host/cpu.h"
#include "smp/smp.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/access.h"
#include "vmx/capabilities.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"
#include "vmx/vmcs.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define INIT_COMES_WITHIN_US 100

static struct cpu *restarting; /* while all others are held */
static void (*enter_guest)(struct vcpu *vcpu);
static u64 apic_base;
static u8 sipi_page;

static u64 exits(const struct vcpu *vcpu)
{
    u64 sum = 0;
    for (unsigned i = 0; i < REASON_SLOTS; i++)
        sum += vcpu->stats.reason[i].count;
    return sum;
}

void note_sipi(struct vcpu *vcpu)
{
    vcpu->exits_at_sipi = exits(vcpu);
    vcpu->sipi_tsc = rdtsc();
}

bool is_stale_init(const struct vcpu *vcpu)
{
    return exits(vcpu) <= vcpu->exits_at_sipi + 2 && vmread(GUEST_RIP) == 0;
}

bool is_late_init(const struct vcpu *vcpu)
{
    u64 ticks = (u64)tsc_khz() * INIT_COMES_WITHIN_US / 1000;
    return exits(vcpu) == vcpu->exits_at_sipi + 1 && vmread(GUEST_RIP) == 0 &&
           vcpu->exit_tsc - vcpu->sipi_tsc < ticks;
}

/* Where an INIT stays pending, a SIPI to all reaches only the first CPU that waits for one. */
static void repeat_sipi(u32 last_command)
{
    apic_repeat_sipi_to_others(last_command, sipi_page);
}

/* In place of vmx/entry.asm, which this exit does not pass again. */
static void count_cycles(const struct vcpu *vcpu)
{
    u64 cycles = rdtsc() - vcpu->exit_tsc;
    struct reason_counter part = {0, cycles, cycles, cycles};
    counter_add(vcpu->counter, &part);
}

static void go_on(struct cpu *cpu)
{
    flush_guest_tlb(&cpu->vcpu);
    let_others_go(repeat_sipi);
    count_cycles(&cpu->vcpu);
    take_nmis(&cpu->vcpu);
    enter_guest(&cpu->vcpu);
}

/* Where the CPU comes back from real mode. */
static void come_back(struct cpu *cpu)
{
    wrmsr(IA32_APIC_BASE, apic_base); /* INIT leaves it alone, Bochs does not */
    cpu->vcpu.nmis = 0;               /* any other is gone */
    cpu->vcpu.kick_nmi = false;
    vmx_enable(cpu, &vmx_capabilities);
    vcpu_drop_chores(&cpu->vcpu, CHORE_SMI_BLOCKING);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    go_on(cpu);
}

static void start_it_again(void)
{
    start_again(restarting, come_back);
}

void drop_stale_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu))
{
    if (!hold_others(vcpu)) /* a SIPI of the guest's could start the CPU outside VMX operation */
        return;
    restarting = cpus[vcpu->index];
    enter_guest = enter;
    apic_base = rdmsr(IA32_APIC_BASE);
    sipi_page = (u8)(vmread(GUEST_CS_SELECTOR) >> 8);
    give_errand_to_boot_cpu(start_it_again);
    wait_for_start_again();
    vmx_disable(restarting);
    tsc_wait_us(INIT_COMES_WITHIN_US);

    cancel_start_again(); /* still here: no INIT was pending */
    vmx_enable(restarting, &vmx_capabilities);
    vmcs_set_init_state(vcpu);
    go_on(restarting);
}
