/* MOV to and from CR0, CR3, CR4 and CR8, CLTS, LMSW and SMSW. SDM vol. 3, 'Control Registers'. */
#include "harness/families.h"
#include "kernel/descriptors.h"
#include "harness/instruction_test.h"
#include "harness/tap.h"
#include "x86/instructions.h"

/* RAX is written, read back into RDX, and what was there before is put back from RCX. */
#define SWAP(cr) "mov rcx, " #cr "\n mov " #cr ", rax\n mov rdx, " #cr "\n mov " #cr ", rcx"
CODE64(swap_cr0, SWAP(cr0));
CODE64(swap_cr2, SWAP(cr2));
CODE64(swap_cr4, SWAP(cr4));
CODE64(swap_cr8, SWAP(cr8));
CODE64(write_cr0, "mov cr0, rax");
CODE64(write_cr3, "mov cr3, rax");
CODE64(write_cr4, "mov cr4, rax");
CODE64(write_cr8, "mov cr8, rax");
CODE64(read_cr0, "mov rdx, cr0");
CODE64(read_cr3, "mov rdx, cr3");
CODE64(read_cr4, "mov rdx, cr4");
CODE64(read_cr8, "mov rdx, cr8");
CODE64(read_cr1, ".byte 0x0F, 0x20, 0xC8");
CODE64(write_cr5, ".byte 0x0F, 0x22, 0xE8");
CODE64(cr3_to_rsp, "mov rbx, rsp\n mov rsp, cr3\n mov rdx, rsp\n mov rsp, rbx");
CODE64(cr3_from_rsp, "mov rbx, rsp\n mov rsp, rax\n mov cr3, rsp\n mov rsp, rbx");
CODE64(clts, "clts");
CODE64(ts_clts, "mov rcx, cr0\n mov cr0, rax\n clts\n mov rdx, cr0");
CODE64(lmsw, "lmsw ax");
CODE64(lmsw_back, "mov rcx, cr0\n lmsw ax\n mov rdx, cr0\n mov cr0, rcx");
CODE64(lmsw_memory, "mov rcx, cr0\n lmsw [rsi]\n mov rdx, cr0\n mov cr0, rcx");
CODE64(smsw, "smsw rdx");

static u64 before;

/* RAX holds bits to flip; `before` with them flipped is what must be read back. */
static void flip_cr0(struct run *run)
{
    before = read_cr0();
    run->gpr[RAX] ^= before;
}

static void flip_cr3(struct run *run)
{
    before = read_cr3();
    run->gpr[RAX] ^= before;
}

static void flip_cr4(struct run *run)
{
    before = read_cr4();
    run->gpr[RAX] ^= before;
}

static void note_cr0(struct run *run)
{
    (void)run;
    before = read_cr0();
}

static const char *reads_what_was_written(const struct run *run)
{
    return run->gpr[RDX] == run->gpr[RAX] ? NULL : "not the value that was written";
}

static const char *reads_low_half(const struct run *run)
{
    return run->gpr[RDX] == (u32)run->gpr[RAX] ? NULL : "not the value that was written";
}

static const char *reads_cr0(const struct run *run)
{
    return run->gpr[RDX] == before ? NULL : "CR0 reads differently";
}

static const char *reads_cr3(const struct run *run)
{
    return run->gpr[RDX] == read_cr3() ? NULL : "CR3 reads differently";
}

static const char *cr0_unchanged(const struct run *run)
{
    (void)run;
    return read_cr0() == before ? NULL : "CR0 was changed";
}

static const char *cr4_unchanged(const struct run *run)
{
    (void)run;
    return read_cr4() == before ? NULL : "CR4 was changed";
}

static const char *task_switched_set(const struct run *run)
{
    return run->gpr[RDX] == (before | CR0_TS) ? NULL : "CR0.TS alone should be set";
}

static const char *all_set_by_lmsw(const struct run *run)
{
    u64 low = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

    return run->gpr[RDX] == (before | low) ? NULL : "CR0 bits 3:0 should be set";
}

static const char *protection_kept(const struct run *run)
{
    u64 cleared = CR0_MP | CR0_EM | CR0_TS;

    return run->gpr[RDX] == (before & ~cleared) ? NULL : "only MP, EM and TS should be clear";
}

static void lmsw_from_memory(struct run *run)
{
    before = read_cr0();
    *(volatile u16 *)(u64)LOW_DATA = (u16)(before | CR0_TS);
    run->gpr[RSI] = LOW_DATA;
}

static void set_task_switched(struct run *run)
{
    (void)run;
    before = read_cr0();
    write_cr0(before | CR0_TS);
}

static const char *reads_cr8(const struct run *run)
{
    return run->gpr[RDX] == 5 ? NULL : "not the value that was written";
}

#define CR_EXITS(profile, n) EXITS(CR_ACCESS, profile, n)
#define RESERVED_CR4 BIT(31)
#define RESERVED_CR3 BIT(60)

static const struct instruction_test cr0_tests[] = {
    {"MOV CR0, the same value", CODE(swap_cr0), .prepare = flip_cr0,
     .check = reads_what_was_written},
    {"MOV CR0 flips NE", CODE(swap_cr0), .rax = CR0_NE, .exits = CR_EXITS(MINIMAL, 2),
     .prepare = flip_cr0, .check = reads_what_was_written},
    {"MOV CR0 flips NE", CODE(swap_cr0), .modes = IN(32) | IN(16), .rax = CR0_NE | BIT(40),
     .exits = CR_EXITS(MINIMAL, 2), .prepare = flip_cr0, .check = reads_low_half},
    {"MOV CR0 flips MP", CODE(swap_cr0), .rax = CR0_MP, .exits = CR_EXITS(KVM, 2),
     .prepare = flip_cr0, .check = reads_what_was_written},
    {"MOV CR0 flips WP and AM", CODE(swap_cr0), .rax = CR0_WP | CR0_AM, .exits = CR_EXITS(KVM, 2),
     .prepare = flip_cr0, .check = reads_what_was_written},
    {"MOV CR0 flips CD", CODE(swap_cr0), .rax = CR0_CD, .exits = CR_EXITS(KVM, 2),
     .prepare = flip_cr0, .check = reads_what_was_written},
    {"MOV CR0 flips TS", CODE(swap_cr0), .rax = CR0_TS, .exits = CR_EXITS(ALL, 2),
     .prepare = flip_cr0, .check = reads_what_was_written},
    {"MOV CR0, upper half not zero", CODE(write_cr0), .rax = BIT(32), .fault = FAULT(GP),
     .count_unstated = true, .prepare = flip_cr0, .check = cr0_unchanged},
    {"MOV CR0, PG without PE", CODE(write_cr0), .rax = CR0_PE, .fault = FAULT(GP),
     .exits = CR_EXITS(KVM, 1), .prepare = flip_cr0, .check = cr0_unchanged},
    {"MOV CR0, NW without CD", CODE(write_cr0), .rax = CR0_NW, .fault = FAULT(GP),
     .exits = CR_EXITS(KVM, 1), .prepare = flip_cr0, .check = cr0_unchanged},
    {"MOV CR0 clears PG in 64-bit code", CODE(write_cr0), .rax = CR0_PG, .fault = FAULT(GP),
     .exits = CR_EXITS(MINIMAL, 1), .prepare = flip_cr0, .check = cr0_unchanged},
    {"MOV from CR0", CODE(read_cr0), .prepare = note_cr0, .check = reads_cr0},
    {"MOV to CR0", CODE(write_cr0), .modes = IN_USER, .fault = FAULT(GP)},
    {"MOV from CR0", CODE(read_cr0), .modes = IN_USER, .fault = FAULT(GP)},

    {"CLTS with TS set", CODE(ts_clts), .rax = CR0_TS, .exits = CR_EXITS(ALL, 2),
     .prepare = flip_cr0, .check = reads_cr0},
    {"CLTS with TS clear", CODE(clts), .modes = IN_SUPERVISOR, .prepare = note_cr0,
     .check = cr0_unchanged},
    {"CLTS with TS set", CODE(clts), .modes = IN_SUPERVISOR, .exits = CR_EXITS(ALL, 1),
     .prepare = set_task_switched, .check = cr0_unchanged},
    {"CLTS", CODE(clts), .modes = IN_USER, .fault = FAULT(GP)},
    {"LMSW sets all four", CODE(lmsw_back), .rax = 0xFFFF, .exits = CR_EXITS(KVM, 2),
     .prepare = note_cr0, .check = all_set_by_lmsw},
    {"LMSW does not clear PE", CODE(lmsw_back), .rax = 0, .count_unstated = true,
     .prepare = note_cr0, .check = protection_kept},
    {"LMSW from memory sets TS", CODE(lmsw_memory), .exits = CR_EXITS(ALL, 2),
     .prepare = lmsw_from_memory, .check = task_switched_set},
    {"LMSW", CODE(lmsw), .modes = IN_USER, .fault = FAULT(GP)},
    {"SMSW", CODE(smsw), .modes = IN_64, .prepare = note_cr0, .check = reads_cr0},
};

static const struct instruction_test other_tests[] = {
    {"MOV CR2", CODE(swap_cr2), .rax = 0xFFFF800012345678, .check = reads_what_was_written},

    {"MOV from CR3", CODE(read_cr3), .modes = IN_RING_0, .exits = CR_EXITS(ALL, 1),
     .check = reads_cr3},
    {"MOV to CR3", CODE(write_cr3), .modes = IN_RING_0, .exits = CR_EXITS(ALL, 1),
     .prepare = flip_cr3},
    {"MOV RSP, CR3", CODE(cr3_to_rsp), .exits = CR_EXITS(ALL, 1), .check = reads_cr3},
    {"MOV CR3, RSP", CODE(cr3_from_rsp), .exits = CR_EXITS(ALL, 1), .prepare = flip_cr3},
    {"MOV CR3, reserved bit", CODE(write_cr3), .rax = RESERVED_CR3, .fault = FAULT(GP),
     .exits = CR_EXITS(ALL, 1), .prepare = flip_cr3},
    {"MOV CR3, bit 63 without PCIDs", CODE(write_cr3), .rax = CR3_NO_FLUSH, .fault = FAULT(GP),
     .exits = CR_EXITS(ALL, 1), .prepare = flip_cr3},
    {"MOV to CR3", CODE(write_cr3), .modes = IN_USER, .fault = FAULT(GP)},
    {"MOV from CR3", CODE(read_cr3), .modes = IN_USER, .fault = FAULT(GP)},

    {"MOV CR4 flips TSD", CODE(swap_cr4), .rax = CR4_TSD, .exits = CR_EXITS(ALL, 2),
     .prepare = flip_cr4, .check = reads_what_was_written},
    {"MOV CR4 flips PGE", CODE(swap_cr4), .rax = CR4_PGE, .exits = CR_EXITS(ALL, 2),
     .prepare = flip_cr4, .check = reads_what_was_written},
    {"MOV CR4 flips PSE", CODE(swap_cr4), .rax = CR4_PSE, .exits = CR_EXITS(KVM, 2),
     .prepare = flip_cr4, .check = reads_what_was_written},
    {"MOV CR4 flips MCE", CODE(swap_cr4), .rax = CR4_MCE, .exits = CR_EXITS(KVM, 2),
     .prepare = flip_cr4, .check = reads_what_was_written},
    {"MOV CR4 clears PAE in 64-bit code", CODE(write_cr4), .rax = CR4_PAE, .fault = FAULT(GP),
     .exits = CR_EXITS(KVM, 1), .prepare = flip_cr4, .check = cr4_unchanged},
    {"MOV CR4, reserved bit", CODE(write_cr4), .rax = RESERVED_CR4, .fault = FAULT(GP),
     .exits = CR_EXITS(MINIMAL, 1), .prepare = flip_cr4, .check = cr4_unchanged},
    {"MOV CR4, upper half not zero", CODE(write_cr4), .rax = BIT(40), .fault = FAULT(GP),
     .count_unstated = true, .prepare = flip_cr4, .check = cr4_unchanged},
    {"CR4.VMXE is refused", CODE(write_cr4), .modes = IN_RING_0, .rax = CR4_VMXE,
     .fault = FAULT(GP), .exits = CR_EXITS(MINIMAL, 1), .tally_only = true, .prepare = flip_cr4,
     .check = cr4_unchanged},
    {"CR4.SMXE is refused", CODE(write_cr4), .rax = CR4_SMXE, .fault = FAULT(GP),
     .exits = CR_EXITS(MINIMAL, 1), .tally_only = true, .prepare = flip_cr4,
     .check = cr4_unchanged},
    {"MOV to CR4", CODE(write_cr4), .modes = IN_USER, .fault = FAULT(GP)},
    {"MOV from CR4", CODE(read_cr4), .modes = IN_USER, .fault = FAULT(GP)},

    {"MOV CR8", CODE(swap_cr8), .rax = 5, .exits = CR_EXITS(ALL, 4), .check = reads_cr8},
    {"MOV CR8, more than 15", CODE(write_cr8), .rax = 16, .fault = FAULT(GP),
     .exits = CR_EXITS(ALL, 1)},
    {"MOV to CR8", CODE(write_cr8), .modes = IN(64_USER), .fault = FAULT(GP)},
    {"MOV from CR8", CODE(read_cr8), .modes = IN(64_USER), .fault = FAULT(GP)},
    {"MOV from CR1", CODE(read_cr1), .modes = IN_64, .fault = FAULT(UD)},
    {"MOV to CR5", CODE(write_cr5), .modes = IN_64, .fault = FAULT(UD)},
};

void test_control_registers(void)
{
    RUN_TESTS(cr0_tests);
    write_cr0(read_cr0() & ~CR0_TS);
    RUN_TESTS(other_tests);
    ok(!(read_cr4() & CR4_VMXE), "CR4.VMXE reads 0");
    ok(true, "CR0 shows %lx, CR4 shows %lx", read_cr0(), read_cr4());
}
