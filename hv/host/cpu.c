#include "host/cpu.h"
#include "host/traps.h"
#include "host/frames.h"
#include "host/paging.h"
#include "x86/instructions.h"
#include "x86/msr.h"

unsigned cpu_count, vcpu_count;
struct cpu **cpus;

#define GDT_CODE_64 0x00209B0000000000ull
#define GDT_DATA 0x0000930000000000ull
#define GDT_TSS_AVAILABLE 0x0000890000000000ull
#define GDT_TSS_BUSY 0x0000020000000000ull

static void set_up_tables(struct cpu *cpu)
{
    u64 tss = (u64)&cpu->tss;
    cpu->gdt[HOST_CODE / 8] = GDT_CODE_64;
    cpu->gdt[HOST_DATA / 8] = GDT_DATA;
    cpu->gdt[HOST_TASK / 8] = GDT_TSS_AVAILABLE | (sizeof(struct task_state) - 1) |
                              (tss & 0xFFFFFF) << 16 | (tss >> 24 & 0xFF) << 56;
    cpu->gdt[HOST_TASK / 8 + 1] = tss >> 32;
    cpu->tss.io_map_base = sizeof(struct task_state);
    for (unsigned i = 0; i < IST_STACKS; i++)
        cpu->tss.ist[i] = (u64)cpu->ist[i] + IST_SIZE;
}

struct cpu boot_cpu; /* boot/start.asm begins on its stack */

struct cpu *cpu_init_boot(void)
{
    static struct cpu *alone;
    traps_init();
    set_up_tables(&boot_cpu);
    alone = &boot_cpu;
    cpus = &alone;
    cpu_count = vcpu_count = 1;
    cpu_load_tables(&boot_cpu);
    return &boot_cpu;
}

static void finish_block(struct cpu *cpu, u32 apic_id)
{
    make_guard_page(cpu->trap_guard);
    make_guard_page(cpu->stack_guard);
    cpu->vcpu.apic_id = apic_id;
    cpu->vmxon_region = frame_alloc();
    cpu->vmcs = frame_alloc();
}

void cpu_finish_boot(u32 apic_id, unsigned others)
{
    cpus = frames_alloc(CPU_LIST_FRAMES(others));
    cpus[0] = &boot_cpu;
    finish_block(&boot_cpu, apic_id);
}

struct cpu *cpu_allocate(u32 apic_id)
{
    struct cpu *cpu = frames_alloc(sizeof(struct cpu) / PAGE_SIZE);
    set_up_tables(cpu);
    finish_block(cpu, apic_id);
    cpu->vcpu.index = cpu_count;
    cpus[cpu_count++] = cpu;
    return cpu;
}

void cpu_load_tables(struct cpu *cpu)
{
    const struct descriptor_table_register gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};
    lgdt(&gdtr);
    load_segments();
    lidt(&trap_idtr);
    cpu->gdt[HOST_TASK / 8] &= ~GDT_TSS_BUSY; /* a CPU that was started again */
    ltr(HOST_TASK);
    wrmsr(IA32_GS_BASE, (u64)&cpu->vcpu); /* the NMI gate finds its vCPU here; see HOST_GS_BASE */
}

static bool lies_in_page(u64 address, const u8 *page)
{
    return address - (u64)page < PAGE_SIZE;
}

const char *guard_page_name(u64 address, unsigned *index)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        *index = i;
        if (lies_in_page(address, cpus[i]->stack_guard))
            return "stack";
        if (lies_in_page(address, cpus[i]->trap_guard))
            return "trap stack";
    }
    return NULL;
}
