/*
 * The local APIC in x2APIC mode, by MSRs. There is no way back but through reset, so this family
 * comes last.
 */
#include "kernel/apic.h"
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(wrmsr_nop, "wrmsr\n nop\n nop");
CODE64(wrmsr, "wrmsr");
CODE64(rdmsr, "rdmsr");

#define CPUID1_ECX_X2APIC BIT(21)
#define X2APIC_TPR 0x808
#define X2APIC_SPURIOUS 0x80F
#define X2APIC_ICR_NMI 0x400
#define SPURIOUS_ENABLE 0x100
#define RESERVED_MSR 0x8FF

static u32 interrupts, nmis;
static u64 interrupted_rip;

static bool has_x2apic(void)
{
    return cpuid(1, 0).ecx & CPUID1_ECX_X2APIC;
}

static void on_interrupt(struct trap_frame *frame)
{
    interrupts++;
    interrupted_rip = frame->rip;
    wrmsr(X2APIC_EOI, 0);
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
}

static void begin(struct run *run)
{
    (void)run;
    interrupts = nmis = 0;
}

static void nmi_to_self(struct run *run)
{
    begin(run);
    run->gpr[RDX] = rdmsr(X2APIC_ID);
}

static const char *interrupt_behind_wrmsr(const struct run *run)
{
    (void)run;
    if (interrupts != 1)
        return "not exactly one interrupt";
    return interrupted_rip == LOW_MEMORY + 2 ? NULL : "at another instruction";
}

static const char *one_nmi(const struct run *run)
{
    (void)run;
    return nmis == 1 ? NULL : "not exactly one NMI";
}

static const char *task_priority(const struct run *run)
{
    (void)run;
    return read_cr8() == 3 ? NULL : "CR8 does not follow";
}

static void open(void)
{
    write_cr8(0);
}

#define WRITES(n) .exits = EXITS(WRMSR, KVM, n), .others_exit = true, .available = has_x2apic

static const struct instruction_test tests[] = {
    {"self-IPI", CODE(wrmsr_nop), .rcx = X2APIC_SELF_IPI, .rax = VECTOR_LOW, .rflags = RFLAGS_IF,
     WRITES(2) /* with the EOI */, .prepare = begin, .check = interrupt_behind_wrmsr},
    {"NMI through the ICR", CODE(wrmsr_nop), .rcx = X2APIC_ICR, .rax = X2APIC_ICR_NMI, WRITES(1),
     .prepare = nmi_to_self, .check = one_nmi},
    {"TPR", CODE(wrmsr), .rcx = X2APIC_TPR, .rax = 0x30, WRITES(1), .check = task_priority,
     .restore = open},
    {"TPR, reserved bit", CODE(wrmsr), .rcx = X2APIC_TPR, .rax = 0x100, .fault = FAULT(GP),
     .count_unstated = true, .available = has_x2apic},
    {"EOI, not zero", CODE(wrmsr), .rcx = X2APIC_EOI, .rax = 1, .fault = FAULT(GP),
     .count_unstated = true, .available = has_x2apic},
    {"EOI cannot be read", CODE(rdmsr), .rcx = X2APIC_EOI, .fault = FAULT(GP),
     .count_unstated = true, .available = has_x2apic},
    {"the ID cannot be written", CODE(wrmsr), .rcx = X2APIC_ID, .fault = FAULT(GP),
     .count_unstated = true, .available = has_x2apic},
    {"an MSR that is reserved", CODE(rdmsr), .rcx = RESERVED_MSR, .fault = FAULT(GP),
     .count_unstated = true, .available = has_x2apic},
};

void test_x2apic(void)
{
    if (has_x2apic()) {
        wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_X2APIC);
        wrmsr(X2APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
        ok(rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC, "x2APIC mode is on");
    } else {
        skip("this CPU has not got it", "x2APIC mode is on");
    }
    set_interrupt_handler(VECTOR_LOW, on_interrupt);
    set_interrupt_handler(VECTOR_NMI, on_nmi);
    RUN_TESTS(tests);
    set_interrupt_handler(VECTOR_LOW, NULL);
    set_interrupt_handler(VECTOR_NMI, NULL);
}
