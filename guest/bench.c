#include "bench.h"
#include "apic.h"
#include "console.h"
#include "statistics.h"
#include "tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define TRIES 64
#define VMCALL_LENGTH 3
#define COM1_LINE_STATUS 0x3FD
#define POST_PORT 0x80
#define CPUID7_EBX_TSC_ADJUST BIT(1)

static u64 cr0, cr3;

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

static void port_read(void)
{
    inb(POST_PORT);
}

static void port_read_com1(void)
{
    inb(COM1_LINE_STATUS);
}

static void vmcall(void)
{
    __asm__ volatile("vmcall");
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
    apic_eoi();
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
    {"port_read", nothing, port_read},
    {"port_read_com1", nothing, port_read_com1},
    {"vmcall", nothing, vmcall},
    {"cr0_write", nothing, flip_cr0_ne},
    {"cr3_write", nothing, rewrite_cr3},
    {"hlt", pend, sti_hlt},
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
    apic_init();
    set_interrupt_handler(VECTOR_UD, skip_vmcall);
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    cr0 = read_cr0();
    cr3 = read_cr3();
    for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
        if (operations[i].operation == rdmsr_tsc_adjust && !has_tsc_adjust)
            continue;
        report(operations[i].name,
               least_ticks(operations[i].prepare, operations[i].operation) - empty);
    }
    ok(true, "measured");
}
