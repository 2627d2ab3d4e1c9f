/*
 * Events that cannot be delivered because of another fault. SDM vol. 3, 'Double Fault Exception',
 * table 'Conditions for Generating a Double Fault'.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"

CODE64(ud2, "ud2");
CODE64(int_n, "int 0x41");
CODE64(int3, "int3");
CODE64(div, "div ecx");
CODE64(read, "mov eax, [rsi]");
CODE64(load_ds, "mov ds, ecx");

#define GATE_ERROR(vector) ((vector)*8 | 2)
#define EXTERNAL 1
#define OUTSIDE_GDT 0x1000
#define MISSING_STACK_TOP (WINDOW_PAGE(WINDOW_MISSING) + 4096)

static void stack_missing(u32 vector)
{
    set_gate_stack(vector, STACK_MISSING);
}

static void restore(void)
{
    for (u32 vector = 0; vector < 32; vector++) {
        set_gate_stack(vector, vector == VECTOR_NMI ? STACK_NMI : STACK_TRAPS);
        set_gate_present(vector, true);
    }
    set_gate_stack(0x41, STACK_TRAPS);
    set_gate_present(0x41, true);
}

#define NO_STACK(name, vector)                                                                     \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        (void)run;                                                                                 \
        stack_missing(vector);                                                                     \
    }
NO_STACK(no_stack_for_ud, VECTOR_UD)
NO_STACK(no_stack_for_int, 0x41)
NO_STACK(no_stack_for_bp, VECTOR_BP)
NO_STACK(no_stack_for_gp, VECTOR_GP)
NO_STACK(no_stack_for_pf, VECTOR_PF)

#define NO_GATE(name, vector)                                                                      \
    static void name(struct run *run)                                                              \
    {                                                                                              \
        (void)run;                                                                                 \
        set_gate_present(vector, false);                                                           \
    }
NO_GATE(no_gate_for_ud, VECTOR_UD)
NO_GATE(no_gate_for_int, 0x41)
NO_GATE(no_gate_for_bp, VECTOR_BP)
NO_GATE(no_gate_for_de, VECTOR_DE)
NO_GATE(no_gate_for_gp, VECTOR_GP)
NO_GATE(no_gate_for_pf, VECTOR_PF)

static const char *stack_in_cr2(const struct run *run)
{
    return run->cr2 == MISSING_STACK_TOP - 8 ? NULL : "CR2 is not the stack's address";
}

static const char *address_in_cr2(const struct run *run)
{
    return run->cr2 == run->gpr[RSI] ? NULL : "CR2 is not the address";
}

#define BROKEN(name, code, in, prepared, ends, why, ...)                                           \
    {                                                                                              \
        name, CODE(code), .modes = in, .fault = FAULT(ends), .error = why, .count_unstated = true, \
                          .prepare = prepared, .restore = restore, __VA_ARGS__                     \
    }

static const struct instruction_test tests[] = {
    BROKEN("#UD without a gate: #NP", ud2, IN(64), no_gate_for_ud, NP,
           GATE_ERROR(VECTOR_UD) | EXTERNAL),
    BROKEN("INT without a gate: #NP", int_n, IN(64), no_gate_for_int, NP, GATE_ERROR(0x41)),
    BROKEN("INT3 without a gate: #NP", int3, IN(64), no_gate_for_bp, NP, GATE_ERROR(VECTOR_BP)),
    BROKEN("#DE without a gate: #DF", div, IN(64), no_gate_for_de, DF, 0),
    BROKEN("#GP without a gate: #DF", load_ds, IN(64), no_gate_for_gp, DF, 0, .rcx = OUTSIDE_GDT),
    BROKEN("#PF without a gate: #DF", read, IN(64), no_gate_for_pf, DF, 0,
           .rsi = WINDOW_PAGE(WINDOW_MISSING) + 8, .check = address_in_cr2),
    BROKEN("#UD without a stack: #PF", ud2, IN(64), no_stack_for_ud, PF, PF_WRITE,
           .check = stack_in_cr2),
    BROKEN("INT without a stack: #PF", int_n, IN(64), no_stack_for_int, PF, PF_WRITE,
           .check = stack_in_cr2),
    BROKEN("INT3 without a stack: #PF", int3, IN(64), no_stack_for_bp, PF, PF_WRITE,
           .check = stack_in_cr2),
    BROKEN("#GP without a stack: #PF", load_ds, IN(64), no_stack_for_gp, PF, PF_WRITE,
           .rcx = OUTSIDE_GDT, .check = stack_in_cr2),
    BROKEN("#PF without a stack: #DF", read, IN(64), no_stack_for_pf, DF, 0,
           .rsi = WINDOW_PAGE(WINDOW_MISSING) + 8, .check = stack_in_cr2),
};

void test_event_delivery(void)
{
    RUN_TESTS(tests);
}
