#include "kernel/smp.h"
#include "kernel/apic.h"
#include "kernel/memory.h"
#include "kernel/smp_apic.h"
#include "kernel/statistics.h"
#include "x86/instructions.h"
#include "x86/msr.h"
#include "x86/registers.h"

#define AP_PAGE 0x6000u
#define STACK_SIZE 8192
#define TOO_LONG 50000000 /* turns of a short loop */
#define A_WHILE 20000
#define AFTER_INIT_PIT 23864 /* ticks of the PIT: 20 ms */
#define NO_PIT 10000         /* turns without a change */
#define STACK_TRAPS 0        /* of the interrupt-stack table, as descriptors.c has them */
#define STACK_NMI 1

extern const u8 smp_code[], smp_code_end[], smp_ticket[], smp_first[], smp_efer[];
void smp_enter(u32 index);

struct cpu smp_cpus[SMP_CPUS];
u8 smp_stacks[SMP_CPUS][STACK_SIZE] __attribute__((aligned(16)));
u32 smp_count = 1;
static bool x2apic;
static struct descriptor_table_register idtr; /* the boot CPU's, for all */
static u64 cr4;
static volatile u32 arrived; /* other CPUs, since the last start */
static u32 sipis = 2;        /* of a start */

#define IN_PAGE(name) ((volatile u32 *)(u64)(AP_PAGE + (name - smp_code)))

static void spin(void)
{
    __asm__ volatile("" : : : "memory");
}

bool smp_wait(const volatile u32 *word, u32 value)
{
    for (u32 i = 0; i < TOO_LONG; i++)
        if (*word == value)
            return true;
    return false;
}

void smp_linger(void)
{
    for (u32 i = 0; i < A_WHILE; i++)
        spin();
}

struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

static void become(struct cpu *cpu)
{
    cpu->self = cpu;
    wrmsr(IA32_GS_BASE, (u64)cpu);
    if (x2apic)
        apic_enter_x2apic();
    apic_enable();
    cpu->apic_id = apic_own_id();
}

/* Descriptor tables: the boot CPU's, but for the TSS and its stacks. */
static void load_tables(struct cpu *cpu)
{
    struct descriptor_table_register gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};

    for (u32 i = 0; i < ARRAY_SIZE(cpu->gdt); i++)
        cpu->gdt[i] = gdt[i];
    cpu->gdt[SELECTOR_TSS / 8] =
        segment_descriptor((u32)(u64)&cpu->tss, sizeof(cpu->tss) - 1, 0x0089);
    cpu->tss.io_map = sizeof(cpu->tss);
    cpu->tss.ist[STACK_TRAPS] = (u64)(cpu->trap_stack + sizeof(cpu->trap_stack));
    cpu->tss.ist[STACK_NMI] = (u64)(cpu->nmi_stack + sizeof(cpu->nmi_stack));
    lgdt(&gdtr);
    lidt(&idtr);
    ltr(SELECTOR_TSS);
}

/* From smp.asm. */
void smp_enter(u32 index)
{
    struct cpu *cpu = &smp_cpus[index];

    cpu->index = index;
    write_cr4(cr4);
    load_tables(cpu);
    become(cpu);
    cpu->orders_done = cpu->orders;
    cpu->starts++;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    sti();
    for (;;) {
        u32 orders = cpu->orders; /* one that comes meanwhile has its turn after this */

        if (orders == cpu->orders_done)
            continue;
        cpu->order(cpu);
        cpu->orders_done = orders;
    }
}

void smp_order(struct cpu *cpu, void (*order)(struct cpu *self))
{
    cpu->order = order;
    cpu->leave = false;
    cpu->orders++;
}

bool smp_done(struct cpu *cpu)
{
    return smp_wait(&cpu->orders_done, cpu->orders);
}

bool smp_everywhere(void (*order)(struct cpu *self))
{
    bool done = true;

    for (u32 i = 1; i < smp_count; i++)
        smp_order(&smp_cpus[i], order);
    order(&smp_cpus[0]);
    for (u32 i = 1; i < smp_count; i++)
        done &= smp_done(&smp_cpus[i]);
    return done;
}

void smp_sleep(struct cpu *self)
{
    for (cli(); !self->leave; cli())
        __asm__ volatile("sti; hlt");
    sti();
}

void smp_park(struct cpu *self)
{
    cli();
    while (!self->leave)
        hlt();
    sti();
}

static void place_code(u32 ticket)
{
    volatile u8 *to = (volatile u8 *)(u64)AP_PAGE;

    for (const u8 *from = smp_code; from < smp_code_end; from++)
        *to++ = *from;
    *IN_PAGE(smp_efer) = EFER_LME | (has_no_execute() ? EFER_NXE : 0);
    *IN_PAGE(smp_ticket) = ticket;
    arrived = 0;
}

const struct smp_first *smp_found(void)
{
    return (const struct smp_first *)IN_PAGE(smp_first);
}

/* Twice as long as the MultiProcessor Specification wants it: a SIPI is lost that comes before a
 * hypervisor below has let the CPU take the INIT. */
static void wait_after_init(void)
{
    pit_count(AFTER_INIT_PIT);
    for (u32 i = 0; i < NO_PIT && !pit_has_counted(); i++)
        smp_linger();
}

static void start(u32 destination)
{
    apic_send(destination, ICR_INIT);
    wait_after_init();
    for (u32 i = 0; i < sipis; i++) {
        if (i)
            smp_linger();
        apic_send(destination, ICR_STARTUP | AP_PAGE / 4096);
    }
}

/* Some of Tally's have not come. Bochs from 2.8 on has its marks: two SIPIs to all, two CPUs, and
 * one exit of each by the INIT before; in 2.7 an INIT stays and makes more. There each further SIPI
 * starts one of those that wait. */
static void start_one_a_sipi(u32 others)
{
    if (arrived != sipis || reason_exits(EXIT_INIT_SIGNAL) != sipis)
        return;
    for (u32 came = sipis + 1; came <= others; came++) {
        apic_send(APIC_ALL_OTHERS, ICR_STARTUP | AP_PAGE / 4096);
        if (!smp_wait(&arrived, came))
            return;
        smp_linger();
        if (arrived != came)
            return;
    }
    sipis = others;
}

bool smp_one_a_sipi(void)
{
    return sipis > 2;
}

/* Tally tells how many there are; bare: until for a while no other comes. */
static u32 count_arrivals(void)
{
    if (under_tally()) {
        u32 others = cpuid(LEAF_INFO, 0).ebx - 1;

        if (!smp_wait(&arrived, others))
            start_one_a_sipi(others);
        return arrived;
    }
    u32 seen = arrived;

    for (u32 i = 0; i < 100; i++) {
        smp_linger();
        if (seen != arrived)
            i = 0;
        seen = arrived;
    }
    return seen;
}

bool smp_start_all(void)
{
    __asm__ volatile("sidt %0" : "=m"(idtr));
    cr4 = read_cr4(); /* before the TPR is written: docs/nested.md, 'What KVM does differently' */
    become(&smp_cpus[0]);
    place_code(1);
    start(APIC_ALL_OTHERS);
    if (smp_count == 1)
        smp_count += count_arrivals();
    return smp_wait(&arrived, smp_count - 1);
}

bool smp_start_one(struct cpu *cpu)
{
    place_code(cpu->index);
    start(cpu->apic_id);
    return smp_wait(&arrived, 1);
}

static void switch_to_x2apic(struct cpu *self)
{
    become(self);
}

void smp_use_x2apic(void)
{
    x2apic = true;
    smp_everywhere(switch_to_x2apic);
}

void smp_send_call(const struct cpu *to)
{
    apic_send(to->apic_id, VECTOR_CALL);
}

void smp_send_nmi(const struct cpu *to)
{
    apic_send(to->apic_id, ICR_NMI);
}

void smp_send_init(const struct cpu *to)
{
    apic_send(to->apic_id, ICR_INIT);
}

void smp_send_sipi(const struct cpu *to)
{
    apic_send(to->apic_id, ICR_STARTUP | AP_PAGE / 4096);
}

void smp_send_others(u32 vector)
{
    apic_send(APIC_ALL_OTHERS, vector);
}
