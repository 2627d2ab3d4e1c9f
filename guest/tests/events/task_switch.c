/* Task switches by JMP, CALL, IRET and through gates. SDM vol. 3, 'Task Management'. */
#include "tests/events/task_switch.h"
#include "kernel/apic.h"
#include "harness/families.h"
#include "x86/instructions.h"

#define INT_LENGTH 2
#define SEND_LENGTH 2

CODE32(jmp, JMP_TASK);
CODE32(jmp_gate, JMP_FAR(0x90) NEW_TASK_BEHIND(7) "str ecx");
CODE32(call, CALL_FAR(0x88) NEW_TASK_BEHIND(7) "str ecx");
CODE32(call_iret, CALL_FAR(0x88) "jmp 1f\n" NEW_TASK_BEHIND(9) "iretd\n 1: str ecx");
CODE32(int_gate, INT_GATE);
CODE32(int_iret, "int 0x41\n jmp 1f\n" NEW_TASK_BEHIND(4) "iretd\n 1: nop");
CODE32(ud2_gate, "ud2\n" NEW_TASK_BEHIND(2) "str ecx");
CODE32(gp_gate, "mov ds, ebx\n" NEW_TASK_BEHIND(2) "pop edx\n str ecx");
CODE32(nmi_gate, GATE_FOR_NMI);

#define TASK_GATE_DPL3 0xE500

extern u8 legacy_stack_top[], other_stack_top[];

void task_ready(struct run *run)
{
    (void)run;
    legacy_init();
    tss32.link = 0;
    tss32.eip = 0;
    tss32.cr3 = (u32)(u64)pae_pointers; /* CR3 is never saved, only loaded */
    other_tss32 = (struct tss32){
        .cr3 = (u32)(u64)pae_pointers,
        .eip = LOW_MEMORY + NEW_TASK,
        .eflags = RFLAGS_FIXED,
        .gpr = {[RAX] = OTHER_EAX, [RSI] = OTHER_ESI, [RSP] = (u32)(u64)other_stack_top},
        .cs = SELECTOR_CODE32,
        .ss = SELECTOR_DATA,
        .ds = SELECTOR_DATA,
        .es = SELECTOR_DATA,
        .esp0 = (u32)(u64)legacy_stack_top,
        .ss0 = SELECTOR_DATA,
        .io_map = sizeof(struct tss32),
    };
    gdt[SELECTOR_TASK_GATE / 8] = (u64)SELECTOR_OTHER_TSS32 << 16 | (u64)TASK_GATE_DPL3 << 32;
    legacy_set_task_gate(0x41, SELECTOR_OTHER_TSS32);
}

void task_restore(void)
{
    write_cr0(read_cr0() & ~CR0_TS);
    write_dr6(DR6_FIXED);
    legacy_init();
}

bool task_is_busy(u32 selector)
{
    return gdt[selector / 8] & DESCRIPTOR_BUSY;
}

/* Whatever brought it about, the new task has its registers from its TSS, and CR0.TS is set. */
static const char *in_new_task(const struct run *run, u32 old_eip)
{
    if (run->gpr[RAX] != OTHER_EAX || run->gpr[RSI] != OTHER_ESI)
        return "registers are not those of the new TSS";
    if (run->gpr[RCX] != SELECTOR_OTHER_TSS32)
        return "TR is not the new task's";
    if (tss32.eip != LOW_MEMORY + old_eip || !tss32.gpr[RBX] || run->gpr[RBX])
        return "the old task's state was not saved";
    if (!task_is_busy(SELECTOR_OTHER_TSS32))
        return "the new task is not busy";
    return read_cr0() & CR0_TS ? NULL : "CR0.TS is clear";
}

static const char *nested_task(const struct run *run, u32 old_eip)
{
    if (other_tss32.link != SELECTOR_TSS32)
        return "no link to the old task";
    if (!task_is_busy(SELECTOR_TSS32))
        return "the old task is not busy";
    return in_new_task(run, old_eip);
}

static const char *jumped(const struct run *run)
{
    if (task_is_busy(SELECTOR_TSS32) || other_tss32.link)
        return "JMP nested the task";
    return in_new_task(run, FAR_LENGTH);
}

static const char *called(const struct run *run)
{
    return nested_task(run, FAR_LENGTH);
}

static const char *interrupted(const struct run *run)
{
    return nested_task(run, INT_LENGTH);
}

static const char *faulted(const struct run *run)
{
    return nested_task(run, 0);
}

static const char *faulted_with_error(const struct run *run)
{
    return run->gpr[RDX] == OUTSIDE_GDT ? nested_task(run, 0) : "not the error code on the stack";
}

static const char *returned(const struct run *run)
{
    if (task_is_busy(SELECTOR_OTHER_TSS32))
        return "the task that ended is busy";
    if (other_tss32.eflags & RFLAGS_NT)
        return "NT was saved with the task that ended";
    if (other_tss32.eip != LOW_MEMORY + NEW_TASK + 1)
        return "EIP behind IRET was not saved";
    return run->gpr[RBX] == 1 ? NULL : "the old task's registers did not come back";
}

static void gate_for_ud(struct run *run)
{
    task_ready(run);
    legacy_set_task_gate(VECTOR_UD, SELECTOR_OTHER_TSS32);
}

static void gate_for_gp(struct run *run)
{
    task_ready(run);
    legacy_set_task_gate(VECTOR_GP, SELECTOR_OTHER_TSS32);
}

void task_ready_for_nmi(struct run *run)
{
    u64 address;
    task_ready(run);
    run->gpr[RAX] = apic_prepare_self_nmi(&address);
    run->gpr[RSI] = address;
    legacy_set_task_gate(VECTOR_NMI, SELECTOR_OTHER_TSS32);
}

static const char *nmi_taken(const struct run *run)
{
    return nested_task(run, SEND_LENGTH);
}

static void new_task_with_trap(struct run *run)
{
    task_ready(run);
    write_dr6(DR6_FIXED);
    other_tss32.trap = 1;
}

static const char *debug_trap(const struct run *run)
{
    return run->dr6 == (DR6_FIXED | DR6_BT) ? NULL : "DR6 should show BT alone";
}

static const struct instruction_test switches[] = {
    SWITCH("JMP to a TSS", jmp, 1, task_ready, jumped),
    SWITCH("JMP through a task gate", jmp_gate, 1, task_ready, jumped),
    SWITCH("CALL to a TSS", call, 1, task_ready, called),
    SWITCH("CALL to a TSS, and IRET", call_iret, 2, task_ready, returned),
    SWITCH("INT through a task gate", int_gate, 1, task_ready, interrupted),
    SWITCH("INT through a task gate, and IRET", int_iret, 2, task_ready, returned),
    SWITCH("NMI through a task gate", nmi_gate, 1, task_ready_for_nmi, nmi_taken),
    {"JMP to a task with its debug trap set", CODE(jmp), .modes = IN(P32), .fault = FAULT(DB),
     .fault_rip = NEW_TASK, .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .prepare = new_task_with_trap,
     .check = debug_trap, .restore = task_restore},
    {"#UD through a task gate", CODE(ud2_gate), .modes = IN(P32), .rbx = 1,
     .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .others_exit = true, .prepare = gate_for_ud,
     .check = faulted, .restore = task_restore},
    {"#GP with its error code through a task gate", CODE(gp_gate), .modes = IN(P32),
     .rbx = OUTSIDE_GDT, .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .others_exit = true,
     .prepare = gate_for_gp, .check = faulted_with_error, .restore = task_restore},
};

void test_task_switch(void)
{
    RUN_TESTS(switches);
    test_task_switch_faults();
    test_task_switch_16bit();
}
