/* Task switches that fault, in the old task or before the new one's first instruction. */
#include "tests/events/task_switch.h"

CODE32(jmp, JMP_TASK);
CODE32(int_gate, INT_GATE);
CODE32(nmi_gate, GATE_FOR_NMI);
CODE32(iret, "iretd");

#define DESCRIPTOR_PRESENT BIT(47)
#define LIMIT_TOO_SMALL 0x60

static void new_task_busy(struct run *run)
{
    task_ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] |= DESCRIPTOR_BUSY;
}

static void new_task_not_present(struct run *run)
{
    task_ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] &= ~DESCRIPTOR_PRESENT;
}

static void new_task_too_small(struct run *run)
{
    task_ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] =
        segment_descriptor((u32)(u64)&other_tss32, LIMIT_TOO_SMALL, 0x0089);
}

/* Of the new task's segments DS: with code and stack in place the fault can be delivered there. */
static void new_task_with_bad_data_segment(struct run *run)
{
    task_ready(run);
    other_tss32.ds = SELECTOR_LDT;
}

#define NEW_TASK_WITH(name, what)                                                                  \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        task_ready(run);                                                                           \
        what;                                                                                      \
    }
NEW_TASK_WITH(new_task_without_code, other_tss32.cs = 0)
NEW_TASK_WITH(new_task_with_data_as_code, other_tss32.cs = SELECTOR_DATA)
NEW_TASK_WITH(new_task_with_ring_3_code, other_tss32.cs = SELECTOR_USER_CODE32 & ~3u)
NEW_TASK_WITH(new_task_with_absent_code, other_tss32.cs = SELECTOR_USER_CODE16 & ~3u;
              gdt[SELECTOR_USER_CODE16 / 8] = gdt[SELECTOR_CODE32 / 8] & ~DESCRIPTOR_PRESENT)
NEW_TASK_WITH(new_task_without_stack, other_tss32.ss = 0)
NEW_TASK_WITH(new_task_with_code_as_stack, other_tss32.ss = SELECTOR_CODE32)
NEW_TASK_WITH(new_task_with_ring_3_stack, other_tss32.ss = SELECTOR_USER_DATA & ~3u)
NEW_TASK_WITH(new_task_with_absent_stack, other_tss32.ss = SELECTOR_NOT_PRESENT)
NEW_TASK_WITH(new_task_with_absent_data, other_tss32.es = SELECTOR_NOT_PRESENT)
NEW_TASK_WITH(new_task_with_bad_ldt, other_tss32.ldt = SELECTOR_DATA)
NEW_TASK_WITH(new_task_with_ldt_of_ldt, other_tss32.ldt = SELECTOR_LDT | 4)

static void broken_gate_for_nmi(struct run *run)
{
    task_ready_for_nmi(run);
    other_tss32.ss = 0;
}

static void no_link(struct run *run)
{
    task_ready(run);
    tss32.link = SELECTOR_OTHER_TSS32; /* not busy: not a task to return to */
}

static const char *old_task_was_left(const struct run *run)
{
    (void)run;
    return task_is_busy(SELECTOR_OTHER_TSS32) && tss32.eip ? NULL : "the switch was not made";
}

#define ERROR_EXTERNAL 1
/* The fault comes before the new task's first instruction. */
#define IN_NEW_TASK(name, code, prepared, vector, error_code)                                      \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .fault = FAULT(vector), .error = error_code,           \
                          .fault_rip = NEW_TASK, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),          \
                          .others_exit = true, .prepare = prepared, .check = old_task_was_left,    \
                          .restore = task_restore                                                  \
    }

static const struct instruction_test faults[] = {
    REFUSED("JMP to a busy TSS", jmp, new_task_busy, GP, SELECTOR_OTHER_TSS32, 0),
    REFUSED("JMP to a TSS that is not present", jmp, new_task_not_present, NP, SELECTOR_OTHER_TSS32,
            0),
    REFUSED("JMP to a TSS that is too small", jmp, new_task_too_small, TS, SELECTOR_OTHER_TSS32, 0),
    REFUSED("JMP to a task with a bad DS", jmp, new_task_with_bad_data_segment, TS, SELECTOR_LDT,
            NEW_TASK),
    IN_NEW_TASK("JMP to a task without CS", jmp, new_task_without_code, TS, 0),
    IN_NEW_TASK("JMP to a task with data as CS", jmp, new_task_with_data_as_code, TS,
                SELECTOR_DATA),
    IN_NEW_TASK("JMP to a task with a CS of another ring", jmp, new_task_with_ring_3_code, TS,
                SELECTOR_USER_CODE32 & ~3u),
    IN_NEW_TASK("JMP to a task with a CS that is not present", jmp, new_task_with_absent_code, NP,
                SELECTOR_USER_CODE16 & ~3u),
    IN_NEW_TASK("JMP to a task without SS", jmp, new_task_without_stack, TS, 0),
    IN_NEW_TASK("JMP to a task with code as SS", jmp, new_task_with_code_as_stack, TS,
                SELECTOR_CODE32),
    IN_NEW_TASK("JMP to a task with an SS of another ring", jmp, new_task_with_ring_3_stack, TS,
                SELECTOR_USER_DATA & ~3u),
    IN_NEW_TASK("JMP to a task with an SS that is not present", jmp, new_task_with_absent_stack, SS,
                SELECTOR_NOT_PRESENT),
    IN_NEW_TASK("JMP to a task with an ES that is not present", jmp, new_task_with_absent_data, NP,
                SELECTOR_NOT_PRESENT),
    IN_NEW_TASK("JMP to a task with a bad LDT", jmp, new_task_with_bad_ldt, TS, SELECTOR_DATA),
    IN_NEW_TASK("JMP to a task with an LDT in the LDT", jmp, new_task_with_ldt_of_ldt, TS,
                SELECTOR_LDT | 4),
    IN_NEW_TASK("INT through a gate to a task without CS", int_gate, new_task_without_code, TS, 0),
    IN_NEW_TASK("INT through a gate to a task without SS", int_gate, new_task_without_stack, TS, 0),
    IN_NEW_TASK("NMI through a gate to a task without SS", nmi_gate, broken_gate_for_nmi, TS,
                ERROR_EXTERNAL),
    {"IRET to a task that is not busy", CODE(iret), .modes = IN(P32), .rflags = RFLAGS_NT,
     .fault = FAULT(TS), .error = SELECTOR_OTHER_TSS32, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),
     .optional_control = true, .prepare = no_link, .restore = task_restore},
    {"JMP to a TSS of ring 0", CODE(jmp), .modes = IN(P32_USER), .fault = FAULT(GP),
     .error = SELECTOR_OTHER_TSS32, .prepare = task_ready, .restore = task_restore},
};

void test_task_switch_faults(void)
{
    RUN_TESTS(faults);
}
