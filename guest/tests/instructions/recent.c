/*
 * Instructions of recent CPUs. TPAUSE, UMWAIT, UMONITOR here; RDMSRLIST, WRMSRLIST; WRMSRNS, RDMSR
 * and WRMSRNS with an immediate; URDMSR, UWRMSR. On a CPU without one of them: that it is not
 * there.
 */
#include "tests/instructions/recent.h"

#include "kernel/descriptors.h"
#include "harness/families.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

static bool has_waitpkg(void)
{
    return cpuid(7, 0).ecx & BIT(5);
}
LACKS(waitpkg)

CODE64(tpause, ".byte 0x66, 0x0F, 0xAE, 0xF1");          /* TPAUSE ECX */
CODE64(tpause_r9, ".byte 0x66, 0x41, 0x0F, 0xAE, 0xF1"); /* TPAUSE R9D */
CODE64(umwait, ".byte 0xF2, 0x0F, 0xAE, 0xF1");          /* UMWAIT ECX */
CODE64(umwait_r9, ".byte 0xF2, 0x41, 0x0F, 0xAE, 0xF1"); /* UMWAIT R9D */
CODE64(umonitor, ".byte 0xF3, 0x0F, 0xAE, 0xF6");        /* UMONITOR RSI */
CODE64(umonitor_umwait, ".byte 0xF3, 0x0F, 0xAE, 0xF6\n .byte 0xF2, 0x0F, 0xAE, 0xF1");

#define DEEPER_ONLY 1u /* bit 0 of the operand: C0.1; the others are reserved */
#define RESERVED_STATE 2u

/* CF says that the operating system's limit came first: there is none. */
static const char *waited(const struct run *run)
{
    return run->rflags & ARITHMETIC_FLAGS ? "a flag is set" : NULL;
}

static void set_r9(struct run *run)
{
    run->gpr[R9] = STALE << 32 | DEEPER_ONLY;
}

static u64 deadline;

static void until_soon(struct run *run)
{
    deadline = rdtsc() + 2000;
    run->gpr[RAX] = (u32)deadline;
    run->gpr[RDX] = deadline >> 32;
}

static void time_stamps_off(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_TSD);
}

static void time_stamps_on(void)
{
    write_cr4(read_cr4() & ~CR4_TSD);
}

#define WAIT(name, code, reason, ...)                                                              \
    {                                                                                              \
        name, CODE(code), .rflags = ARITHMETIC_FLAGS, .exits = EXITS(reason, ALL, 1),              \
                          .available = has_waitpkg, __VA_ARGS__                                    \
    }

static const struct instruction_test waits[] = {
    WAIT("TPAUSE until a time that is past", tpause, TPAUSE, .modes = IN_ANY, .check = waited),
    WAIT("TPAUSE in C0.1", tpause, TPAUSE, .modes = IN_64, .rcx = DEEPER_ONLY, .check = waited),
    WAIT("TPAUSE with R9", tpause_r9, TPAUSE, .modes = IN_64, .rcx = RESERVED_STATE,
         .prepare = set_r9, .check = waited),
    WAIT("TPAUSE until soon", tpause, TPAUSE, .modes = IN_64, .prepare = until_soon,
         .check = waited),
    WAIT("TPAUSE, reserved bit", tpause, TPAUSE, .modes = IN_ANY, .rcx = RESERVED_STATE,
         .fault = FAULT(GP)),
    WAIT("UMWAIT without UMONITOR", umwait, UMWAIT, .modes = IN_ANY, .check = waited),
    WAIT("UMWAIT with R9", umwait_r9, UMWAIT, .modes = IN_64, .rcx = RESERVED_STATE,
         .prepare = set_r9, .check = waited),
    WAIT("UMONITOR and UMWAIT until a time that is past", umonitor_umwait, UMWAIT, .modes = IN_ALL,
         .rsi = LOW_DATA & 0xFFFF, .check = waited),
    WAIT("UMWAIT, reserved bit", umwait, UMWAIT, .modes = IN_ANY, .rcx = RESERVED_STATE,
         .fault = FAULT(GP)),
    {"TPAUSE with CR4.TSD", CODE(tpause), .modes = IN_RING_3, .fault = FAULT(GP),
     .available = has_waitpkg, .prepare = time_stamps_off, .restore = time_stamps_on},
    {"UMWAIT with CR4.TSD", CODE(umwait), .modes = IN_RING_3, .fault = FAULT(GP),
     .available = has_waitpkg, .prepare = time_stamps_off, .restore = time_stamps_on},
    WAIT("TPAUSE with CR4.TSD", tpause, TPAUSE, .prepare = time_stamps_off,
         .restore = time_stamps_on, .check = waited),
    {"UMONITOR of a missing page", CODE(umonitor), .modes = IN(64),
     .rsi = WINDOW_PAGE(WINDOW_MISSING), .fault = FAULT(PF), .available = has_waitpkg},
    {"TPAUSE where the CPU has no user wait", CODE(tpause), .modes = IN_ANY, .fault = FAULT(UD),
     .available = lacks_waitpkg},
    {"UMWAIT where the CPU has no user wait", CODE(umwait), .modes = IN_ANY, .fault = FAULT(UD),
     .available = lacks_waitpkg},
};

void test_recent(void)
{
    RUN_TESTS(waits);
    test_msr_lists();
    test_msr_instructions();
}
