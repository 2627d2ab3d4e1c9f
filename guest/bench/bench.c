#include "bench/bench.h"
#include "kernel/apic.h"
#include "kernel/console.h"
#include "kernel/memory.h"
#include "kernel/memory_map.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define TRIES 64
#define VMCALL_LENGTH 3
#define COM1_LINE_STATUS 0x3FD
#define POST_PORT 0x80
#define PIC_MASK_PORT 0x21   /* a device that KVM itself emulates */
#define FRESH_RAM (64 * MIB) /* nothing has touched it or will, but this */
#define NO_DEVICE (256 * GIB)
#define CPUID7_EBX_TSC_ADJUST BIT(1)

static u64 cr0, cr3, tsc_adjust;
static volatile u64 *next_page;
static volatile bool interrupted;

static void nothing(void)
{
}

static void cpuid_leaf_0(void)
{
    cpuid(0, 0);
}

static void cpuid_statistics(void)
{
    cpuid(LEAF_EXITS, 0);
}

static void cpuid_reason(void)
{
    cpuid(LEAF_REASON_EXITS, EXIT_CPUID);
}

static void rdmsr_feature_control(void)
{
    rdmsr(IA32_FEATURE_CONTROL);
}

static void rdmsr_tsc_adjust(void)
{
    rdmsr(IA32_TSC_ADJUST);
}

static void wrmsr_tsc_adjust(void)
{
    wrmsr(IA32_TSC_ADJUST, tsc_adjust);
}

static void port_read(void)
{
    inb(POST_PORT);
}

static void port_read_pic(void)
{
    inb(PIC_MASK_PORT);
}

static void port_read_com1(void)
{
    inb(COM1_LINE_STATUS);
}

/* RAX is the same each time: with sites=on, which tells calls by it, one site. */
static void vmcall(void)
{
    __asm__ volatile("vmcall" : : "a"(0));
}

static void skip_vmcall(struct trap_frame *frame)
{
    frame->rip += VMCALL_LENGTH;
}

static void flip_cr0_ne(void)
{
    cr0 ^= CR0_NE;
    write_cr0(cr0);
}

static void rewrite_cr3(void)
{
    write_cr3(cr3);
}

/* An interrupt is pending: the CPU wakes up at once. Its handler is part of the figure. */
static void sti_hlt(void)
{
    __asm__ volatile("sti; hlt; cli");
}

static void pend(void)
{
    apic_self_ipi(VECTOR_LOW);
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    interrupted = true;
    apic_eoi();
}

static void enable_interrupts(void)
{
    interrupted = false;
    __asm__ volatile("sti");
}

/* From sending the interrupt until its handler has run. */
static void self_ipi(void)
{
    apic_self_ipi(VECTOR_LOW);
    while (!interrupted)
        __asm__ volatile("pause");
}

static void read_page(void)
{
    (void)*next_page;
}

/*
 * A page that the hypervisor has to map first: one of Tally's own under Tally, else of RAM that
 * nobody has touched, each in another 2 MiB, as KVM may map so much at once.
 */
static void unmapped_page(void)
{
    static u64 page, step;
    const struct memory_range *hidden = under_tally() ? memory_map_hidden() : NULL;

    if (!page) {
        page = hidden ? hidden->base : FRESH_RAM;
        step = hidden ? PAGE_SIZE : 2 * MIB;
    } else if (hidden || memory_map_is_ram(&memory_map, page + step, page + 2 * step)) {
        page += step;
    }
    next_page = memory_at(page);
}

/* A page with nothing behind it, which nobody has touched. */
static void nobodys_page(void)
{
    static u64 page = NO_DEVICE;

    next_page = memory_at(page);
    page += GIB;
}

static u64 least_ticks(void (*prepare)(void), void (*operation)(void))
{
    u64 least = ~0ull;

    for (u32 i = 0; i < TRIES; i++) {
        prepare();
        u64 start = rdtsc();
        operation();
        u64 ticks = rdtsc() - start;
        if (ticks < least)
            least = ticks;
    }
    return least;
}

static const struct {
    const char *name;
    void (*prepare)(void);
    void (*operation)(void);
} operations[] = {
    {"cpuid", nothing, cpuid_leaf_0},
    {"cpuid_all_exits", nothing, cpuid_statistics},
    {"cpuid_reason_exits", nothing, cpuid_reason},
    {"rdmsr", nothing, rdmsr_feature_control},
    {"rdmsr_tsc_adjust", nothing, rdmsr_tsc_adjust},
    {"wrmsr_tsc_adjust", nothing, wrmsr_tsc_adjust},
    {"port_read", nothing, port_read},
    {"port_read_pic", nothing, port_read_pic},
    {"port_read_com1", nothing, port_read_com1},
    {"vmcall", nothing, vmcall},
    {"cr0_write", nothing, flip_cr0_ne},
    {"cr3_write", nothing, rewrite_cr3},
    {"hlt", pend, sti_hlt},
    {"self_ipi", enable_interrupts, self_ipi},
    {"ept_violation", unmapped_page, read_page},
    {"no_device", nobodys_page, read_page},
};

static void report(const char *name, u64 ticks)
{
    print("{\"bench\":\"%s\",\"profile\":\"%s\",\"ticks\":%lu}\n", name, profile_name(), ticks);
}

void bench(void)
{
    u64 empty = least_ticks(nothing, nothing);
    bool has_tsc_adjust = cpuid(7, 0).ebx & CPUID7_EBX_TSC_ADJUST;

    family_begin("bench");
    cr0 = read_cr0(); /* before the TPR is written: docs/nested.md */
    cr3 = read_cr3();
    apic_init();
    set_interrupt_handler(VECTOR_UD, skip_vmcall);
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    if (has_tsc_adjust)
        tsc_adjust = rdmsr(IA32_TSC_ADJUST);
    for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
        void (*operation)(void) = operations[i].operation;

        if ((operation == rdmsr_tsc_adjust || operation == wrmsr_tsc_adjust) && !has_tsc_adjust)
            continue;
        u64 ticks = least_ticks(operations[i].prepare, operation);
        report(operations[i].name, ticks > empty ? ticks - empty : 0);
        __asm__ volatile("cli");
    }
    memory_at_end();
    ok(true, "measured");
}
