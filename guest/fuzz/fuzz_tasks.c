/* Templates of task switches: by JMP, CALL, INT and IRET, to tasks good and bad: 32-bit, 16-bit,
 * virtual-8086.
 */
#include "fuzz/fuzz_code.h"
#include "harness/legacy.h"
#include "kernel/descriptors.h"

#define OPCODE_CALL_FAR 0x9A
#define OPCODE_JMP_FAR 0xEA
#define OPCODE_INT 0xCD
#define OPCODE_IRET 0xCF
#define OPCODE_PUSHF 0x9C
#define VECTOR_OF_TASK 0x41
#define TASK_GATE_DPL3 0xE500

extern u8 legacy_stack_top[];

/* What the emulator does with its own order of checks, or cannot be given in its place.
 * docs/fuzz.md. */
static void spare_emulator(struct tss32 *task, bool user)
{
    u32 *data[] = {&task->ds, &task->es, &task->fs, &task->gs};

    if (!fuzz_options.compare || !user)
        return;
    for (u32 i = 0; i < ARRAY_SIZE(data); i++)
        if (*data[i] == SELECTOR_NOT_PRESENT)
            *data[i] = 0;
    task->cs |= 3;
}

/* The other task goes on behind the instruction that switches to it. */
static void random_task(struct snippet *s)
{
    static const u16 data[] = {
        SELECTOR_DATA,      SELECTOR_DATA,        SELECTOR_DATA,     SELECTOR_DATA, 0,
        SELECTOR_USER_DATA, SELECTOR_NOT_PRESENT, SELECTOR_TASK_GATE};
    static const u16 bad_code[] = {
        0,      SELECTOR_DATA,       SELECTOR_NOT_PRESENT,     SELECTOR_TSS32,
        0xFFF8, SELECTOR_CODE32 | 3, SELECTOR_USER_CODE32 & ~3};
    bool user = fuzz_one_in(4);

    s->task = (struct tss32){
        .cr3 = (u32)(u64)pae_pointers | fuzz_below(4) << 3,
        .eip = LOW_MEMORY + s->length,
        .eflags = RFLAGS_FIXED | ((u32)fuzz_random() & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_TF)),
        .cs = user ? SELECTOR_USER_CODE32 : SELECTOR_CODE32,
        .ss = user ? SELECTOR_USER_DATA : SELECTOR_DATA,
        .ds = PICK(data),
        .es = PICK(data),
        .fs = PICK(data),
        .gs = PICK(data),
        .ldt = fuzz_one_in(4) ? SELECTOR_LDT : 0,
        .trap = fuzz_one_in(8),
        .esp0 = (u32)(u64)legacy_stack_top,
        .ss0 = SELECTOR_DATA,
        .io_map = sizeof(struct tss32),
    };
    for (u32 i = 0; i < 8; i++)
        s->task.gpr[i] = i == RSP ? LOW_STACK_TOP - 256 : (u32)fuzz_random();
    if (fuzz_one_in(4))
        s->task.eflags |= RFLAGS_TF;
    if (fuzz_one_in(8)) {
        s->task.cs = PICK(bad_code);
        s->task.ds = s->task.es = s->task.fs = s->task.gs = 0; /* which comes first? docs/fuzz.md */
    }
    spare_emulator(&s->task, user);
    if (user && fuzz_one_in(8)) /* in ring 0 the fault itself would find no stack */
        s->task.ss = fuzz_random_selector();
}

/* The same in a 16-bit TSS, which has no FS, GS and CR3; its stacks have a base. */
static void narrow_task(struct snippet *s)
{
    struct tss32 wide = s->task;
    struct tss16 task = {
        .ip = (u16)wide.eip,
        .flags = (u16)wide.eflags,
        .cs = (u16)wide.cs,
        .ss = (u16)wide.ss,
        .ds = (u16)wide.ds,
        .es = (u16)wide.es,
        .ldt = (u16)wide.ldt,
        .sp0 = LOW_STACK_TOP - LOW_MEMORY - 512,
        .ss0 = SELECTOR_DATA16,
    };

    if (task.ss == SELECTOR_DATA)
        task.ss = SELECTOR_DATA16;
    if (task.ss == SELECTOR_USER_DATA)
        task.ss = SELECTOR_USER_DATA16;
    for (u32 i = 0; i < 8; i++)
        task.gpr[i] = (u16)(i == RSP ? LOW_STACK_TOP - LOW_MEMORY - 256 : wide.gpr[i]);
    s->task = (struct tss32){0};
    s->task16 = task;
    s->has_task16 = true;
}

/* A task in virtual-8086 mode, up to its own end: 16-bit code none of whose results is left out. */
static void put_v8086_task(struct snippet *s)
{
    static void (*const templates[])(struct snippet *) = {fuzz_cr_read, fuzz_selector,
                                                          fuzz_segment_load};
    u32 own = s->bits;

    s->task.eflags |= RFLAGS_VM | (fuzz_one_in(2) ? RFLAGS_IOPL : 0);
    s->task.cs = s->task.ss = LOW_MEMORY / 16;
    s->task.eip = s->length;
    s->task.gpr[RSP] = LOW_STACK_TOP - LOW_MEMORY - 256;
    s->task.ds = (u16)fuzz_random();
    s->task.fs = (u16)fuzz_random();
    s->bits = 16;
    for (u32 i = fuzz_below(3); i; i--)
        PICK(templates)(s);
    begin(s);
    put(s, 2, OPCODE_INT | VECTOR_DONE << 8);
    s->bits = own;
}

/* What the new task runs, with its own TSS. */
static void put_task(struct snippet *s)
{
    random_task(s);
    if (fuzz_one_in(5)) {
        put_v8086_task(s);
        return;
    }
    if (fuzz_one_in(3))
        narrow_task(s);
    for (u32 i = fuzz_below(3); i; i--)
        fuzz_template(s);
    instruction(s, fuzz_one_in(2) ? OPCODE_IRET : OPCODE_PUSHF);
}

void fuzz_task_switch(struct snippet *s)
{
    u32 kind = fuzz_below(4);

    if (s->mode != MODE_P32 || s->has_task)
        return;
    begin(s);
    if (kind < 2) {
        put(s, 1, kind ? OPCODE_CALL_FAR : OPCODE_JMP_FAR);
        put(s, 4, fuzz_random());
        put(s, 2, fuzz_one_in(2) ? SELECTOR_OTHER_TSS32 : SELECTOR_TASK_GATE);
    } else {
        put(s, 2, OPCODE_INT | VECTOR_OF_TASK << 8);
    }
    s->has_task = true;
    s->touched |= TOUCHED_TABLES;
    put_task(s);
}

void fuzz_task_init(void)
{
    gdt[SELECTOR_TASK_GATE / 8] = (u64)SELECTOR_OTHER_TSS32 << 16 | (u64)TASK_GATE_DPL3 << 32;
    legacy_set_task_gate(VECTOR_OF_TASK, SELECTOR_OTHER_TSS32);
    tss32.cr3 = (u32)(u64)pae_pointers; /* never saved, only loaded */
}
