/* The parts of a task switch. SDM vol. 3, 'Task Management'. */
#ifndef TALLY_EMULATE_TASK_H
#define TALLY_EMULATE_TASK_H

#include "memory/guest_memory.h"
#include "emulate/segments.h"

#define TASK_GPRS 8     /* EAX to EDI */
#define TASK_SEGMENTS 6 /* ES to GS, as in enum segment */
#define TASK_WORDS (2 + TASK_GPRS + TASK_SEGMENTS)

/* The registers of a task, as both formats of TSS hold them. */
struct task {
    bool wide; /* in a 32-bit TSS */
    bool trap; /* T: a debug exception once the task runs */
    u32 cr3;
    u16 ldt;
    union {
        struct {
            u32 eip, eflags, gpr[TASK_GPRS], segment[TASK_SEGMENTS];
        };
        u32 word[TASK_WORDS]; /* the same: they stand side by side in a TSS */
    };
};

/* The lowest limit of a TSS; and of one that is only written to. */
u32 task_minimum_limit(bool wide);
u32 task_saved_limit(bool wide);

/* task_state.c: reads a TSS at a linear address. */
bool task_read(u64 tss, bool wide, struct task *task, struct guest_fault *fault);

/* Whether task_write() will succeed. */
bool task_can_write(u64 tss, bool wide, struct guest_fault *fault);

/* Writes what a switch saves: neither CR3 nor LDTR nor stacks. */
bool task_write(u64 tss, const struct task *task, struct guest_fault *fault);

/*
 * task_segments.c: takes the old task's segments away before anything can fault in the new one:
 * the state is then one that VM entry takes, at the new privilege level. A virtual-8086 task has
 * its segments at once.
 */
void task_drop_segments(const struct task *task);

/* Loads LDTR and the segment registers; what was not loaded when a fault comes stays unusable. */
bool task_load_segments(const struct task *task, struct guest_fault *fault);

/*
 * For an exception that is injected when LDTR or SS could not be loaded. A CPU delivers it as from
 * ring 3: on the stack of the handler's ring. VM entry wants CS in that ring, too, with its
 * selector. A handler that is a task brings its own stack: it finds the task as it is.
 */
void task_lend_stack(unsigned vector);

#endif
