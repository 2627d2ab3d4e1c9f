/* MOV to and from the debug registers. SDM vol. 3, 'Debug Registers'. */
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define MOV_BOTH_WAYS(dr) "mov " #dr ", rax\n mov rcx, " #dr
CODE64(dr0, MOV_BOTH_WAYS(dr0));
CODE64(dr1, MOV_BOTH_WAYS(dr1));
CODE64(dr2, MOV_BOTH_WAYS(dr2));
CODE64(dr3, MOV_BOTH_WAYS(dr3));
CODE64(dr6, MOV_BOTH_WAYS(dr6));
CODE64(dr7, MOV_BOTH_WAYS(dr7));
CODE64(dr4_as_dr6, "mov dr6, rax\n .byte 0x0F, 0x21, 0xE1"); /* mov rcx, dr4 */
CODE64(dr5_as_dr7, "mov dr7, rax\n .byte 0x0F, 0x21, 0xE9"); /* mov rcx, dr5 */
CODE64(write_dr4, ".byte 0x0F, 0x23, 0xE0");
CODE64(read_dr0, "mov rcx, dr0");
CODE64(write_dr0, "mov dr0, rax");
CODE64(write_dr6, "mov dr6, rax");
CODE64(write_dr7, "mov dr7, rax");
CODE64(read_dr7_to_rsp, "mov rbx, rsp\n mov rsp, dr7\n mov rcx, rsp\n mov rsp, rbx");
CODE64(write_dr0_from_rsp,
       "mov rbx, rsp\n mov rsp, rax\n mov dr0, rsp\n mov rsp, rbx\n mov rcx, dr0");

#define ADDRESS 0x1234567890ABCDEFull
#define UPPER_BIT BIT(32)

static const char *reads_address(const struct run *run)
{
    return run->gpr[RCX] == ADDRESS ? NULL : "not the value that was written";
}

static const char *reads_low_half(const struct run *run)
{
    return run->gpr[RCX] == (u32)ADDRESS ? NULL : "not 32 bits of the value";
}

static const char *reads_dr6(const struct run *run)
{
    return run->gpr[RCX] == (DR6_FIXED | DR6_BS) ? NULL : "not the value that was written";
}

static const char *reads_dr7(const struct run *run)
{
    return run->gpr[RCX] == (DR7_FIXED | 0xF0000) ? NULL : "not the value that was written";
}

static const char *reads_dr7_at_rest(const struct run *run)
{
    return run->gpr[RCX] == DR7_FIXED ? NULL : "DR7 is not at rest";
}

static void restore(void)
{
    write_dr7(DR7_FIXED);
    write_dr6(DR6_FIXED);
    write_cr4(read_cr4() & ~CR4_DE);
}

static void debug_extensions_on(struct run *run)
{
    (void)run;
    write_cr4(read_cr4() | CR4_DE);
}

static void general_detect_on(struct run *run)
{
    (void)run;
    write_dr6(DR6_FIXED);
    write_dr7(DR7_FIXED | DR7_GD);
}

static const char *general_detect(const struct run *run)
{
    if ((run->dr6 & DR6_BD) == 0)
        return "DR6.BD is clear";
    return read_dr7() & DR7_GD ? "DR7.GD is still set" : NULL;
}

#define DR_EXITS(n) EXITS(MOV_DR, ALL, n)
#define ADDRESS_ROW(name, code)                                                                    \
    {name, CODE(code), .rax = ADDRESS, .exits = DR_EXITS(2), .check = reads_address},              \
    {                                                                                              \
        name, CODE(code), .modes = IN(32) | IN(16), .rax = ADDRESS, .exits = DR_EXITS(2),          \
                          .check = reads_low_half                                                  \
    }

static const struct instruction_test instructions[] = {
    ADDRESS_ROW("MOV DR0", dr0),
    ADDRESS_ROW("MOV DR1", dr1),
    ADDRESS_ROW("MOV DR2", dr2),
    ADDRESS_ROW("MOV DR3", dr3),
    {"MOV DR6", CODE(dr6), .rax = DR6_BS, .exits = DR_EXITS(2), .check = reads_dr6,
     .restore = restore},
    {"MOV DR7", CODE(dr7), .rax = 0xF0000, .exits = DR_EXITS(2), .check = reads_dr7,
     .restore = restore},
    {"MOV from DR4 is DR6", CODE(dr4_as_dr6), .rax = DR6_BS, .exits = DR_EXITS(2),
     .check = reads_dr6, .restore = restore},
    {"MOV from DR5 is DR7", CODE(dr5_as_dr7), .rax = 0xF0000, .exits = DR_EXITS(2),
     .check = reads_dr7, .restore = restore},
    {"MOV RSP, DR7", CODE(read_dr7_to_rsp), .exits = DR_EXITS(1), .check = reads_dr7_at_rest},
    {"MOV DR0, RSP", CODE(write_dr0_from_rsp), .rax = ADDRESS, .exits = DR_EXITS(2),
     .check = reads_address},
    {"MOV DR4 with CR4.DE", CODE(write_dr4), .fault = FAULT(UD), .count_unstated = true,
     .prepare = debug_extensions_on, .restore = restore},
    {"MOV DR6, upper half not zero", CODE(write_dr6), .rax = UPPER_BIT, .fault = FAULT(GP),
     .exits = DR_EXITS(1)},
    {"MOV DR7, upper half not zero", CODE(write_dr7), .rax = UPPER_BIT | DR7_FIXED,
     .fault = FAULT(GP), .exits = DR_EXITS(1)},
    /* Privilege comes before the exit; Bochs 2.7 exits first. */
    {"MOV from DR0", CODE(read_dr0), .modes = IN_RING_3, .fault = FAULT(GP), .exits = DR_EXITS(1),
     .optional_control = true},
    {"MOV to DR0", CODE(write_dr0), .modes = IN_RING_3, .fault = FAULT(GP), .exits = DR_EXITS(1),
     .optional_control = true},
    {"MOV from DR0 with general detect", CODE(read_dr0), .fault = FAULT(DB), .count_unstated = true,
     .prepare = general_detect_on, .check = general_detect, .restore = restore},
};

/* Whether a CPU has RTM the bare machine tells: the line is the same there. */
static void test_reserved_bits(void)
{
    write_dr7(0xDC00);
    u64 dr7 = read_dr7();
    write_dr7(DR7_FIXED);
    ok((dr7 & ~DR7_RTM) == DR7_FIXED, "the reserved bits of DR7 read as %lx", dr7);
}

void test_debug_registers(void)
{
    RUN_TESTS(instructions);
    test_reserved_bits();
    write_dr0(0);
    write_dr1(0);
    write_dr2(0);
    write_dr3(0);
}
