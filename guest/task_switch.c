/* Task switches by JMP, CALL, IRET and through gates. SDM vol. 3, 'Task Management'. */
#include "apic.h"
#include "descriptors.h"
#include "families.h"
#include "instruction_test.h"
#include "legacy.h"
#include "x86/instructions.h"

/* The old task's instructions come first; the new task starts at NEW_TASK and notes TR in ECX. */
#define NEW_TASK 16
#define OPERAND(selector) "\n .long 0\n .word " #selector "\n"
#define JMP_FAR(selector) ".byte 0xEA" OPERAND(selector)  /* 7 bytes */
#define CALL_FAR(selector) ".byte 0x9A" OPERAND(selector) /* 7 bytes */
#define NEW_TASK_BEHIND(bytes) ".fill 16 - " #bytes ", 1, 0x90\n"
#define FAR_LENGTH 7
#define INT_LENGTH 2

CODE32(jmp, JMP_FAR(0x88) NEW_TASK_BEHIND(7) "str ecx");
CODE32(jmp_gate, JMP_FAR(0x90) NEW_TASK_BEHIND(7) "str ecx");
CODE32(call, CALL_FAR(0x88) NEW_TASK_BEHIND(7) "str ecx");
CODE32(call_iret, CALL_FAR(0x88) "jmp 1f\n" NEW_TASK_BEHIND(9) "iretd\n 1: str ecx");
CODE32(int_gate, "int 0x41\n" NEW_TASK_BEHIND(2) "str ecx");
CODE32(int_iret, "int 0x41\n jmp 1f\n" NEW_TASK_BEHIND(4) "iretd\n 1: nop");
CODE32(ud2_gate, "ud2\n" NEW_TASK_BEHIND(2) "str ecx");
CODE32(gp_gate, "mov ds, ebx\n" NEW_TASK_BEHIND(2) "pop edx\n str ecx");
CODE32(iret, "iretd");
CODE32(jmp_narrow, JMP_FAR(0x88) NEW_TASK_BEHIND(7) "movzx esp, sp\n str ecx");
CODE32(call_iret_narrow, CALL_FAR(0x88) "jmp 1f\n" NEW_TASK_BEHIND(9) "iretd\n 1: str ecx");
CODE32(gp_gate_narrow, "mov ds, ebx\n" NEW_TASK_BEHIND(2) "movzx esp, sp\n pop dx\n str ecx");
CODE32(nmi_gate, "mov [esi], eax\n nop\n jmp 1f\n" NEW_TASK_BEHIND(5) "str ecx\n 1: nop");

#define OTHER_EAX 0x11223344
#define OTHER_ESI 0x55667788
#define OUTSIDE_GDT 0x1000
#define TASK_GATE_DPL3 0xE500
#define DESCRIPTOR_BUSY BIT(41)
#define DESCRIPTOR_PRESENT BIT(47)
#define LIMIT_TOO_SMALL 0x60

extern u8 legacy_stack_top[], other_stack_top[];

/* A task that is ready to run: flat segments, a stack of its own, ring 0. */
static void ready(struct run *run)
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

static void restore(void)
{
    write_cr0(read_cr0() & ~CR0_TS);
    write_dr6(DR6_FIXED);
    legacy_init();
}

static bool is_busy(u32 selector)
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
    if (!is_busy(SELECTOR_OTHER_TSS32))
        return "the new task is not busy";
    return read_cr0() & CR0_TS ? NULL : "CR0.TS is clear";
}

static const char *nested_task(const struct run *run, u32 old_eip)
{
    if (other_tss32.link != SELECTOR_TSS32)
        return "no link to the old task";
    if (!is_busy(SELECTOR_TSS32))
        return "the old task is not busy";
    return in_new_task(run, old_eip);
}

static const char *jumped(const struct run *run)
{
    if (is_busy(SELECTOR_TSS32) || other_tss32.link)
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
    if (is_busy(SELECTOR_OTHER_TSS32))
        return "the task that ended is busy";
    if (other_tss32.eflags & RFLAGS_NT)
        return "NT was saved with the task that ended";
    if (other_tss32.eip != LOW_MEMORY + NEW_TASK + 1)
        return "EIP behind IRET was not saved";
    return run->gpr[RBX] == 1 ? NULL : "the old task's registers did not come back";
}

static void gate_for_ud(struct run *run)
{
    ready(run);
    legacy_set_task_gate(VECTOR_UD, SELECTOR_OTHER_TSS32);
}

static void gate_for_gp(struct run *run)
{
    ready(run);
    legacy_set_task_gate(VECTOR_GP, SELECTOR_OTHER_TSS32);
}

static void new_task_busy(struct run *run)
{
    ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] |= DESCRIPTOR_BUSY;
}

static void new_task_not_present(struct run *run)
{
    ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] &= ~DESCRIPTOR_PRESENT;
}

static void new_task_too_small(struct run *run)
{
    ready(run);
    gdt[SELECTOR_OTHER_TSS32 / 8] =
        segment_descriptor((u32)(u64)&other_tss32, LIMIT_TOO_SMALL, 0x0089);
}

/* Of the new task's segments DS: with code and stack in place the fault can be delivered there. */
static void new_task_with_bad_data_segment(struct run *run)
{
    ready(run);
    other_tss32.ds = SELECTOR_LDT;
}

#define NEW_TASK_WITH(name, what)                                                                  \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        ready(run);                                                                                \
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

/* The same with a 16-bit TSS, which has neither CR3 nor FS and GS. The SDM leaves the upper halves
 * of its task's registers undefined. */
static struct tss16 {
    u16 link, stacks[6], ip, flags, gpr[8], es, cs, ss, ds, ldt;
} tss16;
_Static_assert(sizeof(tss16) == 44, "16-bit TSS");

#define TSS16_AVAILABLE 0x0081
#define NARROW_STACK_TOP (LOW_STACK_TOP - LOW_MEMORY)

static void ready_narrow(struct run *run)
{
    ready(run);
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
    if (run->gpr[RCX] != SELECTOR_OTHER_TSS32 || !is_busy(SELECTOR_OTHER_TSS32))
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
    if (is_busy(SELECTOR_OTHER_TSS32) || !is_busy(SELECTOR_TSS32))
        return "not the right tasks are busy";
    if (tss16.flags & RFLAGS_NT)
        return "NT was saved with the task that ended";
    if (tss16.ip != LOW_MEMORY + NEW_TASK + 1 || tss16.gpr[RSP] != NARROW_STACK_TOP)
        return "the state behind IRET was not saved";
    return run->gpr[RBX] == 1 ? NULL : "the old task's registers did not come back";
}

/* The NMI comes behind the instruction that sends it. */
static void gate_for_nmi(struct run *run)
{
    u64 address;
    ready(run);
    run->gpr[RAX] = apic_prepare_self_nmi(&address);
    run->gpr[RSI] = address;
    legacy_set_task_gate(VECTOR_NMI, SELECTOR_OTHER_TSS32);
}

static void broken_gate_for_nmi(struct run *run)
{
    gate_for_nmi(run);
    other_tss32.ss = 0;
}

#define SEND_LENGTH 2
static const char *nmi_taken(const struct run *run)
{
    return nested_task(run, SEND_LENGTH);
}

static void new_task_with_trap(struct run *run)
{
    ready(run);
    write_dr6(DR6_FIXED);
    other_tss32.trap = 1;
}

static void no_link(struct run *run)
{
    ready(run);
    tss32.link = SELECTOR_OTHER_TSS32; /* not busy: not a task to return to */
}

static const char *old_task_was_left(const struct run *run)
{
    (void)run;
    return is_busy(SELECTOR_OTHER_TSS32) && tss32.eip ? NULL : "the switch was not made";
}

static const char *debug_trap(const struct run *run)
{
    return run->dr6 == (DR6_FIXED | DR6_BT) ? NULL : "DR6 should show BT alone";
}

#define SWITCH(name, code, switches, prepared, checked)                                            \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .rbx = 1,                                              \
                          .exits = EXITS(TASK_SWITCH, MINIMAL, switches), .others_exit = true,     \
                          .prepare = prepared, .check = checked, .restore = restore                \
    }
/*
 * The fault belongs to the old task, or to the new one. The CPU may look at the TSS's descriptor
 * before it exits, and find the fault by itself.
 */
#define REFUSED(name, code, prepared, vector, selector, rip)                                       \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .fault = FAULT(vector), .error = selector,             \
                          .fault_rip = rip, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),               \
                          .optional_control = true, .prepare = prepared, .restore = restore        \
    }

#define ERROR_EXTERNAL 1
/* The fault comes before the new task's first instruction. */
#define IN_NEW_TASK(name, code, prepared, vector, error_code)                                      \
    {                                                                                              \
        name, CODE(code), .modes = IN(P32), .fault = FAULT(vector), .error = error_code,           \
                          .fault_rip = NEW_TASK, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),          \
                          .others_exit = true, .prepare = prepared, .check = old_task_was_left,    \
                          .restore = restore                                                       \
    }

static const struct instruction_test switches[] = {
    SWITCH("JMP to a TSS", jmp, 1, ready, jumped),
    SWITCH("JMP through a task gate", jmp_gate, 1, ready, jumped),
    SWITCH("CALL to a TSS", call, 1, ready, called),
    SWITCH("CALL to a TSS, and IRET", call_iret, 2, ready, returned),
    SWITCH("INT through a task gate", int_gate, 1, ready, interrupted),
    SWITCH("INT through a task gate, and IRET", int_iret, 2, ready, returned),
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
    SWITCH("NMI through a task gate", nmi_gate, 1, gate_for_nmi, nmi_taken),
    IN_NEW_TASK("NMI through a gate to a task without SS", nmi_gate, broken_gate_for_nmi, TS,
                ERROR_EXTERNAL),
    SWITCH("JMP to a 16-bit TSS", jmp_narrow, 1, ready_narrow, jumped_to_narrow),
    SWITCH("CALL to a 16-bit TSS, and IRET", call_iret_narrow, 2, ready_narrow,
           returned_from_narrow),
    REFUSED("JMP to a 16-bit TSS that is too small", jmp, narrow_too_small, TS,
            SELECTOR_OTHER_TSS32, 0),
    {"IRET to a task that is not busy", CODE(iret), .modes = IN(P32), .rflags = RFLAGS_NT,
     .fault = FAULT(TS), .error = SELECTOR_OTHER_TSS32, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),
     .optional_control = true, .prepare = no_link, .restore = restore},
    {"JMP to a task with its debug trap set", CODE(jmp), .modes = IN(P32), .fault = FAULT(DB),
     .fault_rip = NEW_TASK, .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .prepare = new_task_with_trap,
     .check = debug_trap, .restore = restore},
    {"#UD through a task gate", CODE(ud2_gate), .modes = IN(P32), .rbx = 1,
     .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .others_exit = true, .prepare = gate_for_ud,
     .check = faulted, .restore = restore},
    {"#GP with its error code through a gate to a 16-bit TSS", CODE(gp_gate_narrow),
     .modes = IN(P32), .rbx = OUTSIDE_GDT, .exits = EXITS(TASK_SWITCH, MINIMAL, 1),
     .others_exit = true, .prepare = narrow_gate_for_gp, .check = narrow_faulted,
     .restore = restore},
    {"#GP with its error code through a task gate", CODE(gp_gate), .modes = IN(P32),
     .rbx = OUTSIDE_GDT, .exits = EXITS(TASK_SWITCH, MINIMAL, 1), .others_exit = true,
     .prepare = gate_for_gp, .check = faulted_with_error, .restore = restore},
    {"JMP to a TSS of ring 0", CODE(jmp), .modes = IN(P32_USER), .fault = FAULT(GP),
     .error = SELECTOR_OTHER_TSS32, .prepare = ready, .restore = restore},
};

void test_task_switch(void)
{
    RUN_TESTS(switches);
}
