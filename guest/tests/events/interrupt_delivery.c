/*
 * Interrupts and NMIs that cannot be delivered: the fault comes in their place, and they are gone.
 * SDM vol. 3, 'Double Fault Exception'; the interrupt stays in service, the NMI blocks others.
 */
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "harness/tap.h"
#include "x86/instructions.h"

CODE64(sti_nops, "sti\n nop\n nop\n cli");
CODE64(send_nmi, "mov [rsi], eax\n nop\n nop");

#define BEHIND_SHADOW 2 /* of STI */
#define BEHIND_SEND 2
#define GATE_ERROR(vector) ((vector)*8 | 2)
#define EXTERNAL 1
#define MISSING_STACK_TOP (WINDOW_PAGE(WINDOW_MISSING) + 4096)

static u32 arrived;

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    arrived++;
    apic_eoi();
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    arrived++;
}

static void interrupt_without_gate(struct run *run)
{
    (void)run;
    set_gate_present(VECTOR_LOW, false);
    apic_self_ipi(VECTOR_LOW);
}

static void interrupt_without_stack(struct run *run)
{
    (void)run;
    set_gate_stack(VECTOR_LOW, STACK_MISSING);
    apic_self_ipi(VECTOR_LOW);
}

static void interrupt_without_gates(struct run *run)
{
    set_gate_present(VECTOR_NP, false);
    interrupt_without_gate(run);
}

static void nmi(struct run *run)
{
    run->gpr[RAX] = apic_prepare_self_nmi(&run->gpr[RSI]);
}

static void nmi_without_gate(struct run *run)
{
    set_gate_present(VECTOR_NMI, false);
    nmi(run);
}

static void nmi_without_stack(struct run *run)
{
    set_gate_stack(VECTOR_NMI, STACK_MISSING);
    nmi(run);
}

static void restore(void)
{
    set_gate_present(VECTOR_LOW, true);
    set_gate_present(VECTOR_NP, true);
    set_gate_present(VECTOR_NMI, true);
    set_gate_stack(VECTOR_LOW, STACK_TRAPS);
    set_gate_stack(VECTOR_NMI, STACK_NMI);
}

static const char *interrupt_is_gone(const struct run *run)
{
    (void)run;
    restore();
    if (!apic_in_service(VECTOR_LOW))
        return "the interrupt is not in service";
    if (apic_requested(VECTOR_LOW))
        return "the interrupt is requested again";
    apic_eoi();
    arrived = 0;
    sti();
    __asm__ volatile("nop");
    cli();
    return arrived ? "the interrupt came again" : NULL;
}

static const char *stack_in_cr2(const struct run *run)
{
    if (run->cr2 != MISSING_STACK_TOP - 8)
        return "CR2 is not the stack's address";
    return interrupt_is_gone(run);
}

static void return_from_interrupt(void)
{
    __asm__ volatile("mov %%rsp, %%rax\n\t"
                     "pushq %0\n\t"
                     "pushq %%rax\n\t"
                     "pushfq\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "iretq\n"
                     "1:"
                     :
                     : "i"(SELECTOR_DATA), "i"(SELECTOR_CODE64)
                     : "rax", "memory");
}

/* No IRET has been executed since. */
static const char *nmi_is_gone(const struct run *run)
{
    (void)run;
    restore();
    arrived = 0;
    apic_self_nmi();
    if (arrived)
        return "another NMI came before an IRET";
    return_from_interrupt();
    return arrived == 1 ? NULL : "not exactly one NMI came behind IRET";
}

static const char *nmi_stack_in_cr2(const struct run *run)
{
    if (run->cr2 != MISSING_STACK_TOP - 8)
        return "CR2 is not the stack's address";
    return nmi_is_gone(run);
}

#define LOST(name, code, prepared, ends, why, at, checked)                                         \
    {                                                                                              \
        name, CODE(code), .fault = FAULT(ends), .error = why, .fault_rip = at,                     \
                          .count_unstated = true, .prepare = prepared, .check = checked,           \
                          .restore = restore                                                       \
    }

static const struct instruction_test tests[] = {
    LOST("interrupt without a gate: #NP", sti_nops, interrupt_without_gate, NP,
         GATE_ERROR(VECTOR_LOW) | EXTERNAL, BEHIND_SHADOW, interrupt_is_gone),
    LOST("interrupt without a stack: #PF", sti_nops, interrupt_without_stack, PF, PF_WRITE,
         BEHIND_SHADOW, stack_in_cr2),
    LOST("interrupt without a gate, nor one for #NP: #DF", sti_nops, interrupt_without_gates, DF, 0,
         BEHIND_SHADOW, interrupt_is_gone),
    LOST("NMI without a gate: #NP", send_nmi, nmi_without_gate, NP,
         GATE_ERROR(VECTOR_NMI) | EXTERNAL, BEHIND_SEND, nmi_is_gone),
    LOST("NMI without a stack: #PF", send_nmi, nmi_without_stack, PF, PF_WRITE, BEHIND_SEND,
         nmi_stack_in_cr2),
};

void test_interrupt_delivery(void)
{
    apic_init();
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    set_interrupt_handler(VECTOR_NMI, on_nmi);
    RUN_TESTS(tests);
    set_interrupt_handler(VECTOR_LOW, NULL);
    set_interrupt_handler(VECTOR_NMI, NULL);
}
