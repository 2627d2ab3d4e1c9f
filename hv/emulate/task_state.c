/*
 * The two formats of task-state segments, and what a task switch takes from them and puts there:
 * words side by side, (E)IP, (E)FLAGS, general and segment registers; the LDT's selector, which is
 * only read, follows. SDM vol. 3, 'Task-State Segment (TSS)' and '16-Bit Task-State Segment (TSS)'.
 */
#include "emulate/task.h"
#include "lib/string.h"

#define TSS_MAX 104
static const struct format {
    u8 size, saved, ldt; /* bytes; where the words and the selector are */
    u8 words, word;      /* how many, and the bytes of each; FS and GS are in 32-bit ones only */
} formats[] = {{44, 14, 42, TASK_WORDS - 2, 2}, {TSS_MAX, 32, 96, TASK_WORDS, 4}};

/* In a 32-bit TSS alone. */
#define TSS_CR3 28
#define TSS_TRAP 100

/* The SDM leaves the upper halves undefined; they have been ones since the 386. */
#define UPPER_HALF 0xFFFF0000u

u32 task_minimum_limit(bool wide)
{
    return formats[wide].size - 1;
}

u32 task_saved_limit(bool wide)
{
    return formats[wide].ldt - 1;
}

bool task_read(u64 address, bool wide, struct task *task, struct guest_fault *fault)
{
    const struct format *f = &formats[wide];
    u8 tss[TSS_MAX];
    if (!guest_read(address, tss, f->size, IMPLICIT_SUPERVISOR, fault))
        return false;
    *task = (struct task){.wide = wide, .trap = wide && (tss[TSS_TRAP] & 1)};
    if (wide)
        memcpy(&task->cr3, tss + TSS_CR3, sizeof(task->cr3));
    memcpy(&task->ldt, tss + f->ldt, sizeof(task->ldt));
    for (unsigned i = 0; i < f->words; i++)
        memcpy(&task->word[i], tss + f->saved + i * f->word, f->word);
    for (unsigned i = 0; i < TASK_GPRS && !wide; i++)
        task->gpr[i] |= UPPER_HALF;
    for (unsigned i = 0; i < TASK_SEGMENTS; i++)
        task->segment[i] = (u16)task->segment[i]; /* above it is reserved */
    return true;
}

bool task_can_write(u64 address, bool wide, struct guest_fault *fault)
{
    const struct format *f = &formats[wide];
    return guest_can_write(address + f->saved, f->ldt - f->saved, IMPLICIT_SUPERVISOR, fault);
}

bool task_write(u64 address, const struct task *task, struct guest_fault *fault)
{
    const struct format *f = &formats[task->wide];
    u8 saved[TSS_MAX];
    for (unsigned i = 0; i < f->words; i++)
        memcpy(saved + i * f->word, &task->word[i], f->word);
    return guest_write(address + f->saved, saved, f->ldt - f->saved, IMPLICIT_SUPERVISOR, fault);
}
