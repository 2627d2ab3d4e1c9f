/* The other CPUs: starting them, and having them run functions. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "kernel/descriptors.h"
#include "types.h"

#define SMP_CPUS 32
#define SMP_WAYS 16 /* see smp_exits.c */

enum smp_vector {
    VECTOR_CALL = 0x81,       /* counted; wakes a halted CPU */
    VECTOR_SHOOT_DOWN = 0x82, /* see smp_shoot_down.c */
};

/* As the trampoline found the CPU. */
struct smp_first {
    u32 eax, cs, eflags, cr0, cr4, dr0, efer;
};

struct smp_tss { /* without I/O permissions: nothing runs in ring 3 there */
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map;
} __attribute__((packed));

struct cpu {
    struct cpu *self; /* GS points here */
    u32 index, apic_id;
    volatile u32 starts;
    void (*volatile order)(struct cpu *self);
    volatile u32 orders, orders_done;
    volatile u64 argument;
    volatile u32 calls, nmis, shot_down, mistakes; /* counted by the handlers */
    volatile bool leave;                           /* ends smp_sleep() and smp_park() */
    u32 next_way;
    u32 did[SMP_WAYS]; /* exits made since the first start */
    u64 gdt[GDT_SIZE / 8];
    struct smp_tss tss;
    u8 trap_stack[4096], nmi_stack[4096];
} __attribute__((aligned(64)));

/* [0] is the boot CPU. */
extern struct cpu smp_cpus[SMP_CPUS];
extern u32 smp_count;

/* Starts all other CPUs at once; the first time, counts them. False if one is missing. */
bool smp_start_all(void);
/* Whether a SIPI to all starts only one CPU in this emulator (docs/newer-bochs.md); starts then
 * have more of them. */
bool smp_one_a_sipi(void);
/* Stops one and starts it again. False if it does not come. */
bool smp_start_one(struct cpu *cpu);
/* As the CPU that started last was found. */
const struct smp_first *smp_found(void);

/* From then on, on every CPU and when one starts. */
void smp_use_x2apic(void);

struct cpu *this_cpu(void);
void smp_send_call(const struct cpu *to);
void smp_send_nmi(const struct cpu *to);
void smp_send_init(const struct cpu *to);
void smp_send_sipi(const struct cpu *to);
void smp_send_others(u32 vector);

/* Has the CPU run `order`; smp_done() waits until it has, but not for ever. */
void smp_order(struct cpu *cpu, void (*order)(struct cpu *self));
bool smp_done(struct cpu *cpu);
/* All other CPUs and this one. */
bool smp_everywhere(void (*order)(struct cpu *self));

/* Orders: halted, with interrupts on and off, until `leave` is set and an interrupt or NMI comes.
 */
void smp_sleep(struct cpu *self);
void smp_park(struct cpu *self);

/* Waits until *word is `value`; false if that takes too long. Makes no exits. */
bool smp_wait(const volatile u32 *word, u32 value);
/* Long enough for an interrupt too many to arrive. */
void smp_linger(void);

#endif
