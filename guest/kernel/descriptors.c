/* GDT, IDT and TSS of the guest. SDM vol. 3, 'Protected-Mode Memory Management' and 'Task
 * Management'. */
#include "kernel/descriptors.h"
#include "kernel/memory.h"
#include "kernel/traps.h"
#include "x86/instructions.h"

struct gate {
    u16 offset_low, selector;
    u8 stack, access;
    u16 offset_middle;
    u32 offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "a gate of the 64-bit IDT");

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map;
    u8 io_permissions[0x2000]; /* one bit a port: 0 lets ring 3 use it */
    u8 io_map_end;
} __attribute__((packed));

enum gate_access { GATE_INTERRUPT = 0x8E, GATE_PRESENT = 0x80 };

u64 gdt[GDT_SIZE / 8] __attribute__((aligned(16)));
static struct gate idt[256] __attribute__((aligned(16)));
static struct tss tss __attribute__((aligned(16)));
static u8 trap_stack[16384] __attribute__((aligned(16)));
static u8 gate_stack[4096] __attribute__((aligned(16))); /* of ring 0, after a call gate */
static u8 nmi_stack[4096] __attribute__((aligned(16)));

u64 segment_descriptor(u32 base, u32 limit, u32 access)
{
    return (limit & 0xFFFF) | (u64)(base & 0xFFFFFF) << 16 | (u64)(access & 0xF0FF) << 40 |
           (u64)(limit >> 16 & 0xF) << 48 | (u64)(base >> 24) << 56;
}

void set_gate(u32 vector, void (*handler)(void), u32 dpl)
{
    u64 offset = (u64)handler;

    idt[vector] = (struct gate){
        .offset_low = (u16)offset,
        .selector = SELECTOR_CODE64,
        .stack = vector == 2 ? STACK_NMI : STACK_TRAPS,
        .access = (u8)(GATE_INTERRUPT | dpl << 5),
        .offset_middle = (u16)(offset >> 16),
        .offset_high = (u32)(offset >> 32),
    };
}

void set_gate_stack(u32 vector, enum interrupt_stack stack)
{
    idt[vector].stack = stack;
}

struct trap_frame *frame_of_trap(void)
{
    return (struct trap_frame *)(trap_stack + sizeof(trap_stack)) - 1;
}

void set_gate_present(u32 vector, bool present)
{
    if (present)
        idt[vector].access |= GATE_PRESENT;
    else
        idt[vector].access &= (u8)~GATE_PRESENT;
}

static void fill_gdt(void)
{
    gdt[SELECTOR_CODE64 / 8] = segment_descriptor(0, 0xFFFFF, 0xA09B);
    gdt[SELECTOR_DATA / 8] = segment_descriptor(0, 0xFFFFF, 0xC093);
    gdt[SELECTOR_CODE32 / 8] = segment_descriptor(0, 0xFFFFF, 0xC09B);
    gdt[SELECTOR_CODE16 / 8] = segment_descriptor(LOW_MEMORY, 0xFFFF, 0x009B);
    gdt[SELECTOR_DATA16 / 8] = segment_descriptor(LOW_MEMORY, 0xFFFF, 0x0093);
    gdt[SELECTOR_USER_CODE64 / 8] = segment_descriptor(0, 0xFFFFF, 0xA0FB);
    gdt[SELECTOR_USER_DATA / 8] = segment_descriptor(0, 0xFFFFF, 0xC0F3);
    gdt[SELECTOR_USER_CODE32 / 8] = segment_descriptor(0, 0xFFFFF, 0xC0FB);
    gdt[SELECTOR_USER_CODE16 / 8] = segment_descriptor(LOW_MEMORY, 0xFFFF, 0x00FB);
    gdt[SELECTOR_USER_DATA16 / 8] = segment_descriptor(LOW_MEMORY, 0xFFFF, 0x00F3);
    gdt[SELECTOR_NOT_PRESENT / 8] = segment_descriptor(0, 0xFFFFF, 0xC013);
    gdt[SELECTOR_TSS / 8] = segment_descriptor((u32)(u64)&tss, sizeof(tss) - 1, 0x0089);
    gdt[SELECTOR_LDT / 8] = segment_descriptor((u32)(u64)gdt, sizeof(gdt) - 1, 0x0082);
}

static void load_tables(void)
{
    struct descriptor_table_register gdtr = {sizeof(gdt) - 1, (u64)gdt};
    struct descriptor_table_register idtr = {sizeof(idt) - 1, (u64)idt};

    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "mov %2, %%ss\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "pushq %3\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "ltr %4"
                     :
                     : "m"(gdtr), "m"(idtr), "r"(SELECTOR_DATA), "i"(SELECTOR_CODE64),
                       "r"((u16)SELECTOR_TSS)
                     : "rax", "memory");
}

void descriptors_init(void)
{
    tss.rsp[0] = (u64)(gate_stack + sizeof(gate_stack));
    tss.ist[STACK_TRAPS - 1] = (u64)(trap_stack + sizeof(trap_stack));
    tss.ist[STACK_NMI - 1] = (u64)(nmi_stack + sizeof(nmi_stack));
    tss.ist[STACK_MISSING - 1] = WINDOW_PAGE(WINDOW_MISSING) + 4096;
    tss.io_map = offsetof(struct tss, io_permissions);
    tss.io_map_end = 0xFF;
    for (u32 i = 0; i < sizeof(tss.io_permissions); i++)
        tss.io_permissions[i] = 0xFF;

    fill_gdt();
    for (u32 vector = 0; vector < 256; vector++)
        set_gate(vector, trap_entries[vector], 0);
    set_gate(VECTOR_BP, trap_entries[VECTOR_BP], 3);
    set_gate(VECTOR_OF, trap_entries[VECTOR_OF], 3);
    set_gate(VECTOR_DONE, trap_entries[VECTOR_DONE], 3);
    load_tables();
}
