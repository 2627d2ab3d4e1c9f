/* The two formats of task-state segments, and what a task switch takes from them and puts there. */
#include "emulate/task.h"

/* SDM vol. 3, 'Task-State Segment (TSS)'. */
struct tss_32bit {
    u16 link, reserved0;
    u32 stacks[6];
    u32 cr3, eip, eflags, gpr[TASK_GPRS];
    struct {
        u16 selector, reserved;
    } segment[TASK_SEGMENTS];
    u16 ldt, reserved1;
    u16 trap, io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss_32bit) == 104, "32-bit TSS");

/* SDM vol. 3, '16-Bit Task-State Segment (TSS)'; it has no FS, GS and CR3. */
struct tss_16bit {
    u16 link;
    u16 stacks[6];
    u16 ip, flags, gpr[TASK_GPRS];
    u16 segment[4];
    u16 ldt;
} __attribute__((packed));
_Static_assert(sizeof(struct tss_16bit) == 44, "16-bit TSS");

/* The part that a switch saves, from (E)IP to the last segment register. */
#define SAVED_32BIT offsetof(struct tss_32bit, eip)
#define SAVED_32BIT_SIZE (offsetof(struct tss_32bit, ldt) - SAVED_32BIT)
#define SAVED_16BIT offsetof(struct tss_16bit, ip)
#define SAVED_16BIT_SIZE (offsetof(struct tss_16bit, ldt) - SAVED_16BIT)

u32 task_minimum_limit(bool wide)
{
    return (wide ? sizeof(struct tss_32bit) : sizeof(struct tss_16bit)) - 1;
}

u32 task_saved_limit(bool wide)
{
    return (wide ? SAVED_32BIT + SAVED_32BIT_SIZE : SAVED_16BIT + SAVED_16BIT_SIZE) - 1;
}

/* The SDM leaves the upper halves undefined; they have been ones since the 386. */
#define UPPER_HALF 0xFFFF0000u

static bool read_32bit(u64 address, struct task *task, struct guest_fault *fault)
{
    struct tss_32bit tss;
    if (!guest_read(address, &tss, sizeof(tss), IMPLICIT_SUPERVISOR, fault))
        return false;
    *task = (struct task){
        .wide = true,
        .trap = tss.trap & 1,
        .cr3 = tss.cr3,
        .eip = tss.eip,
        .eflags = tss.eflags,
        .ldt = tss.ldt,
    };
    for (unsigned i = 0; i < TASK_GPRS; i++)
        task->gpr[i] = tss.gpr[i];
    for (unsigned i = 0; i < TASK_SEGMENTS; i++)
        task->segment[i] = tss.segment[i].selector;
    return true;
}

static bool read_16bit(u64 address, struct task *task, struct guest_fault *fault)
{
    struct tss_16bit tss;
    if (!guest_read(address, &tss, sizeof(tss), IMPLICIT_SUPERVISOR, fault))
        return false;
    *task = (struct task){.eip = tss.ip, .eflags = tss.flags, .ldt = tss.ldt};
    for (unsigned i = 0; i < TASK_GPRS; i++)
        task->gpr[i] = UPPER_HALF | tss.gpr[i];
    for (unsigned i = 0; i < ARRAY_SIZE(tss.segment); i++)
        task->segment[i] = tss.segment[i];
    return true;
}

bool task_read(u64 tss, bool wide, struct task *task, struct guest_fault *fault)
{
    return wide ? read_32bit(tss, task, fault) : read_16bit(tss, task, fault);
}

bool task_can_write(u64 tss, bool wide, struct guest_fault *fault)
{
    return wide ? guest_can_write(tss + SAVED_32BIT, SAVED_32BIT_SIZE, IMPLICIT_SUPERVISOR, fault)
                : guest_can_write(tss + SAVED_16BIT, SAVED_16BIT_SIZE, IMPLICIT_SUPERVISOR, fault);
}

static bool write_32bit(u64 address, const struct task *task, struct guest_fault *fault)
{
    struct tss_32bit tss = {.eip = task->eip, .eflags = task->eflags};
    for (unsigned i = 0; i < TASK_GPRS; i++)
        tss.gpr[i] = task->gpr[i];
    for (unsigned i = 0; i < TASK_SEGMENTS; i++)
        tss.segment[i].selector = task->segment[i];
    return guest_write(address + SAVED_32BIT, (u8 *)&tss + SAVED_32BIT, SAVED_32BIT_SIZE,
                       IMPLICIT_SUPERVISOR, fault);
}

static bool write_16bit(u64 address, const struct task *task, struct guest_fault *fault)
{
    struct tss_16bit tss = {.ip = (u16)task->eip, .flags = (u16)task->eflags};
    for (unsigned i = 0; i < TASK_GPRS; i++)
        tss.gpr[i] = (u16)task->gpr[i];
    for (unsigned i = 0; i < ARRAY_SIZE(tss.segment); i++)
        tss.segment[i] = task->segment[i];
    return guest_write(address + SAVED_16BIT, (u8 *)&tss + SAVED_16BIT, SAVED_16BIT_SIZE,
                       IMPLICIT_SUPERVISOR, fault);
}

bool task_write(u64 tss, const struct task *task, struct guest_fault *fault)
{
    return task->wide ? write_32bit(tss, task, fault) : write_16bit(tss, task, fault);
}
