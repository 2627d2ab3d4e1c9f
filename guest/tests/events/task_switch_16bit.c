/*
 * Task switches with a 16-bit TSS, which has neither CR3 nor FS and GS. The SDM leaves the upper
 * halves of its task's registers undefined.
 */
#include "tests/events/task_switch.h"

CODE32(jmp, JMP_TASK);
CODE32(jmp_narrow, JMP_FAR(0x88) NEW_TASK_BEHIND(7) "movzx esp, sp\n str ecx");
CODE32(call_iret_narrow, CALL_FAR(0x88) "jmp 1f\n" NEW_TASK_BEHIND(9) "iretd\n 1: str ecx");
CODE32(gp_gate_narrow, "mov ds, ebx\n" NEW_TASK_BEHIND(2) "movzx esp, sp\n pop dx\n str ecx");

static struct tss16 tss16;

#define TSS16_AVAILABLE 0x0081
#define NARROW_STACK_TOP (LOW_STACK_TOP - LOW_MEMORY)

static void ready_narrow(struct run *run)
{
    task_ready(run);
    tss16 = (struct tss16){
        .ip = LOW_MEMORY + NEW_TASK,
        .flags = RFLAGS_FIXED,
        .gpr = {[RAX] = (u16)OTHER_EAX, [RSI] = (u16)OTHER_ESI, [RSP] = NARROW_STACK_TOP},
        .cs = SELECTOR_CODE32,
        .ss = SELECTOR_DATA16,
        .ds = SELECTOR_DATA,
        .es = SELECTOR_DATA,
    };
    gdt[SELECTOR_OTHER_TSS32 / 8] =
        segment_descriptor((u32)(u64)&tss16, sizeof(tss16) - 1, TSS16_AVAILABLE);
}

static void narrow_too_small(struct run *run)
{
    ready_narrow(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] =
        segment_descriptor((u32)(u64)&tss16, sizeof(tss16) - 2, TSS16_AVAILABLE);
}

static void narrow_gate_for_gp(struct run *run)
{
    ready_narrow(run);
    legacy_set_task_gate(VECTOR_GP, SELECTOR_OTHER_TSS32);
}

static const char *in_narrow_task(const struct run *run, u32 old_eip)
{
    if ((u16)run->gpr[RAX] != (u16)OTHER_EAX || (u16)run->gpr[RSI] != (u16)OTHER_ESI)
        return "registers are not those of the new TSS";
    if (run->gpr[RCX] != SELECTOR_OTHER_TSS32 || !task_is_busy(SELECTOR_OTHER_TSS32))
        return "TR is not the new task's, and busy";
    return tss32.eip == LOW_MEMORY + old_eip ? NULL : "the old task's state was not saved";
}

static const char *jumped_to_narrow(const struct run *run)
{
    return tss16.link ? "JMP nested the task" : in_narrow_task(run, FAR_LENGTH);
}

static const char *narrow_faulted(const struct run *run)
{
    if (tss16.link != SELECTOR_TSS32)
        return "no link to the old task";
    if ((u16)run->gpr[RDX] != OUTSIDE_GDT)
        return "not the error code on the stack, as a word";
    return in_narrow_task(run, 0);
}

static const char *returned_from_narrow(const struct run *run)
{
    if (task_is_busy(SELECTOR_OTHER_TSS32) || !task_is_busy(SELECTOR_TSS32))
        return "not the right tasks are busy";
    if (tss16.flags & RFLAGS_NT)
        return "NT was saved with the task that ended";
    if (tss16.ip != LOW_MEMORY + NEW_TASK + 1 || tss16.gpr[RSP] != NARROW_STACK_TOP)
        return "the state behind IRET was not saved";
    return run->gpr[RBX] == 1 ? NULL : "the old task's registers did not come back";
}

static const struct instruction_test narrow[] = {
    SWITCH("JMP to a 16-bit TSS", jmp_narrow, 1, ready_narrow, jumped_to_narrow),
    SWITCH("CALL to a 16-bit TSS, and IRET", call_iret_narrow, 2, ready_narrow,
           returned_from_narrow),
    REFUSED("JMP to a 16-bit TSS that is too small", jmp, narrow_too_small, TS,
            SELECTOR_OTHER_TSS32, 0),
    {"#GP with its error code through a gate to a 16-bit TSS", CODE(gp_gate_narrow),
     .modes = IN(P32), .rbx = OUTSIDE_GDT, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),
     .others_exit = true, .prepare = narrow_gate_for_gp, .check = narrow_faulted,
     .restore = task_restore},
};

void test_task_switch_16bit(void)
{
    RUN_TESTS(narrow);
}
