/* Every exception that software can provoke: vector, error code, RIP and CR2. #DB has its own file.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"

CODE64(div, "div ecx");
CODE64(int3, "int3");
CODE64(int_3, ".byte 0xCD, 3");
CODE64(int_n, "int 0x41");
CODE64(into_64, ".byte 0xCE");
CODE32(into, "into");
CODE32(bound, "bound eax, [esi]");
CODE64(ud2, "ud2");
CODE64(bad_lock, ".byte 0xF0\n nop");
CODE64(fninit, "fninit");
CODE64(fpu_error, "fninit\n fldcw [rsi]\n fld1\n fldz\n fdivp\n fwait");
CODE64(sse_error, "ldmxcsr [rsi]\n xorps xmm0, xmm0\n divss xmm0, xmm0");
CODE64(sse, "xorps xmm0, xmm0");
CODE64(load_ds, "mov ds, ecx");
CODE64(load_ss, "mov ss, ecx");
CODE64(push_beyond, "mov rsp, rsi\n push rax");
CODE64(read, "mov eax, [rsi]");
CODE64(write, "mov [rsi], eax");
CODE64(jump, "jmp rsi");
CODE16(read_end, "mov ax, [0xFFFF]");
CODE16(read_stack_end, "mov ax, ss:[0xFFFF]");
CODE32(read_32, "mov eax, [esi]");
CODE32(write_32, "mov [esi], eax");

#define IN_EVERY (IN_ALL | IN_LEGACY)
#define IN_P16 (IN(P16) | IN(P16_USER))
#define IN_32_BIT (IN(32) | IN(32_USER) | IN(P32) | IN(P32_USER))

#define NOT_CANONICAL 0x0000900000000000ull
#define OUTSIDE_GDT 0x1000
#define GATE_ERROR(vector) ((vector)*8 | 2)
#define DATA32 ((volatile u32 *)(u64)LOW_DATA)

static u64 cr0_before, cr4_before;

static void restore(void)
{
    write_cr0(cr0_before);
    write_cr4(cr4_before);
}

static void bounds_1_to_2(struct run *run)
{
    DATA32[0] = 1;
    DATA32[1] = 2;
    run->gpr[RSI] = LOW_DATA;
}

static void task_switched(struct run *run)
{
    (void)run;
    write_cr0(cr0_before | CR0_TS);
}

static void emulate_fpu(struct run *run)
{
    (void)run;
    write_cr0(cr0_before | CR0_EM);
}

static void unmask_fpu(struct run *run)
{
    write_cr0(cr0_before | CR0_NE);
    DATA32[0] = 0x0340; /* control word without masks */
    run->gpr[RSI] = LOW_DATA;
}

static void unmask_sse(struct run *run)
{
    write_cr4(cr4_before | CR4_OSFXSR | CR4_OSXMMEXCPT);
    DATA32[0] = 0; /* MXCSR without masks */
    run->gpr[RSI] = LOW_DATA;
}

static void unmask_sse_without_exceptions(struct run *run)
{
    unmask_sse(run);
    write_cr4(cr4_before | CR4_OSFXSR);
}

static void check_alignment(struct run *run)
{
    write_cr0(cr0_before | CR0_AM);
    run->gpr[RSI] = LOW_DATA + 1;
}

static const char *address_in_cr2(const struct run *run)
{
    return run->cr2 == run->gpr[RSI] ? NULL : "CR2 is not the address";
}

#define PAGE_FAULT(name, code, in, page, why)                                                      \
    {                                                                                              \
        name, CODE(code), .modes = in, .rsi = WINDOW_PAGE(page) + 0x123, .fault = FAULT(PF),       \
                          .error = why, .check = address_in_cr2                                    \
    }
#define FETCH(name, in, page, why)                                                                 \
    {                                                                                              \
        name, CODE(jump), .modes = in, .rsi = WINDOW_PAGE(page), .fault = FAULT(PF), .error = why, \
                          .fault_rip = WINDOW_PAGE(page) - LOW_MEMORY,                             \
                          .available = has_no_execute, .check = address_in_cr2                     \
    }

static const struct instruction_test faults[] = {
    {"#DE by DIV", CODE(div), .modes = IN_EVERY, .fault = FAULT(DE)},
    {"#BP by INT3", CODE(int3), .modes = IN_EVERY, .fault = FAULT(BP), .fault_rip = 1},
    {"INT 3 in two bytes", CODE(int_3), .modes = IN_EVERY, .fault = FAULT(BP), .fault_rip = 2,
     .count_unstated = true},
    {"#OF by INTO", CODE(into), .modes = IN_32_BIT, .rflags = RFLAGS_OF, .fault = FAULT(OF),
     .fault_rip = 1},
    {"INTO without overflow", CODE(into), .modes = IN_32_BIT},
    {"INTO", CODE(into_64), .modes = IN_64, .fault = FAULT(UD)},
    {"#BR by BOUND", CODE(bound), .modes = IN_32_BIT, .rax = 3, .fault = FAULT(BR),
     .prepare = bounds_1_to_2},
    {"BOUND within", CODE(bound), .modes = IN_32_BIT, .rax = 2, .prepare = bounds_1_to_2},
    {"#UD by UD2", CODE(ud2), .modes = IN_EVERY, .fault = FAULT(UD)},
    {"#UD by LOCK", CODE(bad_lock), .modes = IN_EVERY, .fault = FAULT(UD)},
    {"#NM with CR0.TS", CODE(fninit), .modes = IN_EVERY, .fault = FAULT(NM),
     .prepare = task_switched, .restore = restore},
    {"#NM with CR0.EM", CODE(fninit), .modes = IN_EVERY, .fault = FAULT(NM), .prepare = emulate_fpu,
     .restore = restore},
    {"#NP by a segment", CODE(load_ds), .modes = IN(64) | IN(32) | IN_P,
     .rcx = SELECTOR_NOT_PRESENT, .fault = FAULT(NP), .error = SELECTOR_NOT_PRESENT},
    {"#SS by a stack segment", CODE(load_ss), .rcx = SELECTOR_NOT_PRESENT, .fault = FAULT(SS),
     .error = SELECTOR_NOT_PRESENT},
    {"#SS by an address", CODE(push_beyond), .modes = IN_64, .rsi = NOT_CANONICAL,
     .fault = FAULT(SS), .fault_rip = 3},
    {"#GP by a selector", CODE(load_ds), .modes = IN_ALL | IN_P | IN_P_USER, .rcx = OUTSIDE_GDT,
     .fault = FAULT(GP), .error = OUTSIDE_GDT},
    {"#GP by an address", CODE(read), .modes = IN_64, .rsi = NOT_CANONICAL, .fault = FAULT(GP)},
    {"#GP by INT in ring 3", CODE(int_n), .modes = IN_USER, .fault = FAULT(GP),
     .error = GATE_ERROR(0x41)},
    {"INT 0x41", CODE(int_n), .modes = IN_SUPERVISOR, .fault = 0x100 | 0x41, .fault_rip = 2,
     .count_unstated = true},
    {"#GP beyond the segment's limit", CODE(read_end),
     .modes = IN(16) | IN_P16 | IN(V86) | IN(REAL), .fault = FAULT(GP)},
    {"#SS beyond the segment's limit", CODE(read_stack_end),
     .modes = IN(16) | IN_P16 | IN(V86) | IN(REAL), .fault = FAULT(SS)},
    {"#MF at FWAIT", CODE(fpu_error), .fault = FAULT(MF), .fault_rip = 10, .prepare = unmask_fpu,
     .restore = restore},
    {"#AC", CODE(read), .modes = IN_RING_3 & ~IN(16_USER), .rflags = RFLAGS_AC, .fault = FAULT(AC),
     .prepare = check_alignment, .restore = restore},
    {"#AC never in ring 0", CODE(read), .modes = IN(64) | IN(32), .rflags = RFLAGS_AC,
     .prepare = check_alignment, .restore = restore},
    {"#XM by DIVSS", CODE(sse_error), .modes = IN_64, .fault = FAULT(XM), .fault_rip = 6,
     .prepare = unmask_sse, .restore = restore},
    {"#UD by DIVSS without CR4.OSXMMEXCPT", CODE(sse_error), .fault = FAULT(UD), .fault_rip = 6,
     .prepare = unmask_sse_without_exceptions, .restore = restore},
    {"#UD by SSE without CR4.OSFXSR", CODE(sse), .modes = IN_64, .fault = FAULT(UD)},
};

static const struct instruction_test page_faults[] = {
    PAGE_FAULT("read of a missing page", read, IN(64), WINDOW_MISSING, 0),
    PAGE_FAULT("read of a missing page", read, IN(64_USER), WINDOW_MISSING, PF_USER),
    PAGE_FAULT("read of a missing page", read_32, IN(32), WINDOW_MISSING, 0),
    PAGE_FAULT("read of a missing page", read_32, IN(32_USER), WINDOW_MISSING, PF_USER),
    PAGE_FAULT("read of a missing page", read_32, IN(P32), WINDOW_MISSING, 0),
    PAGE_FAULT("read of a missing page", read_32, IN(P32_USER), WINDOW_MISSING, PF_USER),
    PAGE_FAULT("write to a missing page", write_32, IN(P32), WINDOW_MISSING, PF_WRITE),
    PAGE_FAULT("write to a read-only page", write_32, IN(P32_USER), WINDOW_READ_ONLY,
               PF_PRESENT | PF_WRITE | PF_USER),
    PAGE_FAULT("read of a supervisor page", read_32, IN(P32_USER), WINDOW_SUPERVISOR,
               PF_PRESENT | PF_USER),
    PAGE_FAULT("write to a missing page", write, IN(64), WINDOW_MISSING, PF_WRITE),
    PAGE_FAULT("write to a missing page", write, IN(64_USER), WINDOW_MISSING, PF_WRITE | PF_USER),
    PAGE_FAULT("write to a missing page", write_32, IN(32_USER), WINDOW_MISSING,
               PF_WRITE | PF_USER),
    PAGE_FAULT("write to a read-only page", write, IN(64), WINDOW_READ_ONLY, PF_PRESENT | PF_WRITE),
    PAGE_FAULT("write to a read-only page", write, IN(64_USER), WINDOW_READ_ONLY,
               PF_PRESENT | PF_WRITE | PF_USER),
    PAGE_FAULT("read of a supervisor page", read, IN(64_USER), WINDOW_SUPERVISOR,
               PF_PRESENT | PF_USER),
    PAGE_FAULT("write to a supervisor page", write, IN(64_USER), WINDOW_SUPERVISOR,
               PF_PRESENT | PF_WRITE | PF_USER),
    PAGE_FAULT("read through a reserved bit", read, IN(64), WINDOW_RESERVED,
               PF_PRESENT | PF_RESERVED),
    PAGE_FAULT("write through a reserved bit", write, IN(64_USER), WINDOW_RESERVED,
               PF_PRESENT | PF_RESERVED | PF_WRITE | PF_USER),
    FETCH("fetch from a missing page", IN(64), WINDOW_MISSING, PF_FETCH),
    FETCH("fetch from a missing page", IN(64_USER), WINDOW_MISSING, PF_FETCH | PF_USER),
    FETCH("fetch from a no-execute page", IN(64), WINDOW_NO_EXECUTE, PF_FETCH | PF_PRESENT),
    FETCH("fetch from a no-execute page", IN(64_USER), WINDOW_NO_EXECUTE,
          PF_FETCH | PF_PRESENT | PF_USER),
    FETCH("fetch from a supervisor page", IN(64_USER), WINDOW_SUPERVISOR,
          PF_FETCH | PF_PRESENT | PF_USER),
};

void test_exceptions(void)
{
    cr0_before = read_cr0();
    cr4_before = read_cr4();
    RUN_TESTS(faults);
    RUN_TESTS(page_faults);
    __asm__ volatile("fninit");
}
