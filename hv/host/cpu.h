/*
 * What each CPU owns: stacks with guard pages, descriptor tables, its vCPU. One block of pages;
 * the vCPU is at the top of the stack (see struct vcpu).
 */
#ifndef TALLY_HOST_CPU_H
#define TALLY_HOST_CPU_H

#include "types.h"
#include "vcpu.h"

#define STACK_SIZE (3 * PAGE_SIZE)

/* Selectors of the hypervisor's GDT. */
#define HOST_CODE 0x08
#define HOST_DATA 0x10
#define HOST_TASK 0x18

struct task_state {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct task_state) == 104, "TSS limit 0x67 is what a VM exit loads");

/* Stacks of the interrupt-stack table: a trap never runs on the stack that it interrupted. */
enum { IST_NMI, IST_TRAP, IST_STACKS };
#define IST_SIZE (2 * KIB)

struct cpu {
    u8 trap_guard[PAGE_SIZE];
    u8 ist[IST_STACKS][IST_SIZE];
    u8 stack_guard[PAGE_SIZE];
    u8 stack[STACK_SIZE];
    struct vcpu vcpu;
    u64 gdt[5]; /* null, code, data, TSS (two entries) */
    struct task_state tss;
    void *vmxon_region, *vmcs;
    struct stale_init_watch {
        u64 started, exits; /* the TSC at the vCPU's SIPI, and how many exits it had had */
        u32 held;           /* the hold that the CPU is in; others read it */
    } watch;                /* smp/stale_init.c's */
} __attribute__((aligned(4096)));
_Static_assert(offsetof(struct cpu, vcpu) % 64 == 0 && sizeof(struct vcpu) % 64 == 0,
               "a vCPU has its cache lines to itself");
_Static_assert(sizeof(struct cpu) % PAGE_SIZE == 0,
               "no page, and so no cache line, holds parts of two CPUs");

extern unsigned cpu_count;  /* CPUs that Tally runs on; the boot CPU is 0 */
extern unsigned vcpu_count; /* those of them, the first ones, that run the guest */
extern struct cpu **cpus;   /* as many as ACPI lists */
extern struct cpu boot_cpu;

/* The boot CPU's block is part of the image, so that traps are caught from the first line on. */
struct cpu *cpu_init_boot(void);

/* Once Tally has moved: the boot CPU's guard pages and VMX regions, and room for so many others. */
void cpu_finish_boot(u32 apic_id, unsigned others);

/* Allocates another CPU's block, with guard pages in place. */
struct cpu *cpu_allocate(u32 apic_id);

/* Frames that so many further CPUs take: each a block and two VMX regions, and the list of them. */
#define CPU_FRAMES (sizeof(struct cpu) / PAGE_SIZE + 2)
#define CPU_LIST_FRAMES(others) ((others) * sizeof(struct cpu *) / PAGE_SIZE + 1)

/* Loads the descriptor tables of the CPU that runs this. */
void cpu_load_tables(struct cpu *cpu);

/* The name of the guard page that `address` lies in, or NULL. `*index` gets the CPU. */
const char *guard_page_name(u64 address, unsigned *index);

#endif
