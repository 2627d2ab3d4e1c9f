#include "harness/legacy.h"
#include "kernel/descriptors.h"
#include "harness/run.h"

#define STATE ((volatile struct legacy_state *)0xBF00)
#define REAL_CODE 0xB000u
#define REAL_IVT ((volatile u32 *)0xC000)
#define REAL_SEGMENT (LOW_MEMORY / 16)
#define REAL_ENTRY_SIZE 4

#define GATE_INTERRUPT32 0x8E00
#define GATE_TASK 0x8500
#define GATE_DPL3 0x6000
#define PDPTE_PRESENT 1
#define TSS32_AVAILABLE 0x0089
#define OPEN_PORTS 0x80 /* and the fifteen behind it, in every ring */

extern const u8 real_code[], real_code_end[];
extern const u32 legacy_entries[256], real_entries_offset;
extern u8 legacy_stack_top[];
extern u64 page_directories[4 * 512];
void legacy_enter(void);

struct tss32 tss32 __attribute__((aligned(256))), other_tss32 __attribute__((aligned(256)));
u64 pae_pointers[4] __attribute__((aligned(32)));
static u64 idt[256] __attribute__((aligned(16)));

struct __attribute__((packed)) {
    u16 limit;
    u32 base;
} legacy_idt_pointer;

static u64 gate(u16 selector, u32 offset, u32 access)
{
    return (offset & 0xFFFF) | (u64)selector << 16 | (u64)access << 32 | (u64)(offset >> 16) << 48;
}

void legacy_reset_gate(u32 vector)
{
    u32 open = vector == VECTOR_DONE || vector == VECTOR_BP || vector == VECTOR_OF;

    idt[vector] =
        gate(SELECTOR_CODE32, legacy_entries[vector], GATE_INTERRUPT32 | (open ? GATE_DPL3 : 0));
}

void legacy_set_task_gate(u32 vector, u16 tss_selector)
{
    idt[vector] = gate(tss_selector, 0, GATE_TASK | GATE_DPL3);
}

static void init_tss(struct tss32 *tss, u32 selector)
{
    tss->esp0 = (u32)(u64)legacy_stack_top;
    tss->ss0 = SELECTOR_DATA;
    tss->io_map = offsetof(struct tss32, io_permissions);
    for (u32 i = 0; i < sizeof(tss->io_permissions); i++)
        tss->io_permissions[i] = i / 2 == OPEN_PORTS / 16 ? 0 : 0xFF;
    gdt[selector / 8] = segment_descriptor((u32)(u64)tss, sizeof(*tss) - 1, TSS32_AVAILABLE);
}

/* The low pages may have been the loader's until now. */
static void init_real_mode(void)
{
    volatile u8 *to = (u8 *)(u64)REAL_CODE;

    for (const u8 *from = real_code; from < real_code_end; from++)
        *to++ = *from;
    for (u32 vector = 0; vector < 256; vector++)
        REAL_IVT[vector] = REAL_SEGMENT << 16 | (real_entries_offset + vector * REAL_ENTRY_SIZE);
}

void legacy_init(void)
{
    for (u32 vector = 0; vector < 256; vector++)
        legacy_reset_gate(vector);
    legacy_idt_pointer.limit = sizeof(idt) - 1;
    legacy_idt_pointer.base = (u32)(u64)idt;
    for (u32 i = 0; i < ARRAY_SIZE(pae_pointers); i++)
        pae_pointers[i] = (u64)&page_directories[512 * i] | PDPTE_PRESENT;
    init_tss(&tss32, SELECTOR_TSS32);
    init_tss(&other_tss32, SELECTOR_OTHER_TSS32);
    init_real_mode();
}

void legacy_run(struct legacy_state *state)
{
    *STATE = *state;
    legacy_enter();
    *state = *STATE;
}
