/*
 * Port I/O: every width, strings, REP, ports beside each other, permissions. The ports are
 * harmless: POST code 0x80 and a DMA page register, which keeps what is written.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "harness/tap.h"
#include "x86/instructions.h"

CODE64(in_al_imm, "in al, 0x87");
CODE64(in_ax_imm, "in ax, 0x87");
CODE64(in_eax_imm, "in eax, 0x87");
CODE64(out_al_imm, "out 0x87, al");
CODE64(in_al, "in al, dx");
CODE64(in_ax, "in ax, dx");
CODE64(in_eax, "in eax, dx");
CODE64(out_al, "out dx, al");
CODE64(out_ax, "out dx, ax");
CODE64(out_eax, "out dx, eax");
CODE64(insb, "insb");
CODE64(insw, "insw");
CODE64(insd, "insd");
CODE64(outsb, "outsb");
CODE64(outsw, "outsw");
CODE64(outsd, "outsd");
CODE64(rep_insb, "rep insb");
CODE64(rep_outsb, "rep outsb");
CODE64(rep_outsd, "rep outsd");
CODE64(rep_outsb_address32, ".byte 0x67\n rep outsb");

#define SCRATCH_PORT 0x87 /* page register of DMA channel 0, which nobody uses */
#define POST_PORT 0x80
#define PATTERN 0x1122334455667788ull
#define DATA ((volatile u8 *)(u64)LOW_DATA)
#define ONE_EXIT EXITS(IO_INSTRUCTION, KVM, 1)
#define STALE_INDEX 0xA5A5A5A500000000ull

static void fill_data(struct run *run)
{
    (void)run;
    for (u32 i = 0; i < 64; i++)
        DATA[i] = (u8)(0x40 + i);
    outb(SCRATCH_PORT, 0x5A);
}

static const char *read_into_al(const struct run *run)
{
    return run->gpr[RAX] == ((PATTERN & ~0xFFull) | 0x5A) ? NULL : "wrong RAX";
}

static const char *read_into_ax(const struct run *run)
{
    return (run->gpr[RAX] | 0xFFFF) == (PATTERN | 0xFFFF) ? NULL : "more than AX was written";
}

static const char *read_into_eax(const struct run *run)
{
    return run->gpr[RAX] >> 32 ? "upper half not zero" : NULL;
}

static const char *wrote_al(const struct run *run)
{
    if (run->gpr[RAX] != PATTERN)
        return "RAX was written";
    return inb(SCRATCH_PORT) == (u8)PATTERN ? NULL : "another byte at the port";
}

static const char *rax_kept(const struct run *run)
{
    return run->gpr[RAX] == PATTERN ? NULL : "RAX was written";
}

/* String instructions start at LOW_DATA + 16 in RSI or RDI; the other one is 0. */
#define STRING_START (LOW_DATA + 16)

static const char *moved_by(const struct run *run, u32 bytes)
{
    return run->gpr[RSI] + run->gpr[RDI] == STRING_START + bytes ? NULL : "index moved wrongly";
}

static const char *moved_1(const struct run *run)
{
    return moved_by(run, 1);
}

static const char *moved_2(const struct run *run)
{
    return moved_by(run, 2);
}

static const char *moved_4(const struct run *run)
{
    return moved_by(run, 4);
}

static const char *moved_back(const struct run *run)
{
    return moved_by(run, -1u);
}

static const char *stored_one_byte(const struct run *run)
{
    if (DATA[15] != 0x4F || DATA[16] != 0x5A || DATA[17] != 0x51)
        return "not exactly one byte stored";
    return moved_1(run);
}

static const char *stored_downwards(const struct run *run)
{
    return DATA[16] == 0x5A ? moved_back(run) : "not stored";
}

static const char *stored_8_bytes(const struct run *run)
{
    for (u32 i = 16; i < 24; i++)
        if (DATA[i] != 0x5A)
            return "a byte was not stored";
    if (DATA[24] != 0x58 || run->gpr[RCX])
        return "it went too far";
    return moved_by(run, 8);
}

static const char *wrote_last_byte(const struct run *run)
{
    if (inb(SCRATCH_PORT) != 0x57 || run->gpr[RCX])
        return "the last byte is not at the port";
    return moved_by(run, 8);
}

static const char *wrote_nothing(const struct run *run)
{
    return inb(SCRATCH_PORT) == 0x5A && !run->gpr[RCX] ? moved_by(run, 0) : "it wrote";
}

static const char *wrote_16_bytes(const struct run *run)
{
    return run->gpr[RCX] ? "count left" : moved_by(run, 16);
}

static const char *faulted_at_page(const struct run *run)
{
    return run->cr2 == WINDOW_PAGE(WINDOW_MISSING) ? NULL : "wrong CR2";
}

static const char *stored_up_to_the_page(const struct run *run)
{
    if (run->gpr[RCX] != 5 || run->gpr[RDI] != WINDOW_PAGE(WINDOW_MISSING))
        return "it did not stop at the page's start";
    return faulted_at_page(run);
}

#define PORT_ROW(name, code, result)                                                               \
    {                                                                                              \
        name, CODE(code), .rax = PATTERN, .rdx = SCRATCH_PORT, .exits = ONE_EXIT,                  \
                          .prepare = fill_data, .check = result                                    \
    }
#define IN_ROW(name, code, port, result)                                                           \
    {                                                                                              \
        name, CODE(code), .rdx = port, .rdi = STRING_START, .exits = ONE_EXIT,                     \
                          .prepare = fill_data, .check = result                                    \
    }
#define OUT_ROW(name, code, port, result)                                                          \
    {                                                                                              \
        name, CODE(code), .rdx = port, .rsi = STRING_START, .exits = ONE_EXIT,                     \
                          .prepare = fill_data, .check = result                                    \
    }

static const struct instruction_test instructions[] = {
    PORT_ROW("IN AL, imm8", in_al_imm, read_into_al),
    PORT_ROW("IN AX, imm8", in_ax_imm, read_into_ax),
    PORT_ROW("IN EAX, imm8", in_eax_imm, read_into_eax),
    PORT_ROW("IN AL, DX", in_al, read_into_al),
    PORT_ROW("IN AX, DX", in_ax, read_into_ax),
    PORT_ROW("IN EAX, DX", in_eax, read_into_eax),
    PORT_ROW("OUT imm8, AL", out_al_imm, wrote_al),
    PORT_ROW("OUT DX, AL", out_al, wrote_al),
    PORT_ROW("OUT DX, AX", out_ax, rax_kept),
    PORT_ROW("OUT DX, EAX", out_eax, rax_kept),

    IN_ROW("INSB", insb, SCRATCH_PORT, stored_one_byte),
    IN_ROW("INSW", insw, SCRATCH_PORT, moved_2),
    IN_ROW("INSD", insd, SCRATCH_PORT, moved_4),
    OUT_ROW("OUTSB", outsb, SCRATCH_PORT, moved_1),
    OUT_ROW("OUTSW", outsw, POST_PORT, moved_2),
    OUT_ROW("OUTSD", outsd, POST_PORT, moved_4),
    {"INSB downwards", CODE(insb), .rdx = SCRATCH_PORT, .rdi = STRING_START, .rflags = RFLAGS_DF,
     .exits = ONE_EXIT, .prepare = fill_data, .check = stored_downwards},
    {"REP INSB", CODE(rep_insb), .rcx = 8, .rdx = SCRATCH_PORT, .rdi = STRING_START,
     .exits = ONE_EXIT, .prepare = fill_data, .check = stored_8_bytes},
    {"REP OUTSB", CODE(rep_outsb), .rcx = 8, .rdx = SCRATCH_PORT, .rsi = STRING_START,
     .exits = ONE_EXIT, .prepare = fill_data, .check = wrote_last_byte},
    {"REP OUTSD", CODE(rep_outsd), .rcx = 4, .rdx = POST_PORT, .rsi = STRING_START,
     .exits = ONE_EXIT, .prepare = fill_data, .check = wrote_16_bytes},
    {"REP OUTSB, count 0", CODE(rep_outsb), .rdx = SCRATCH_PORT, .rsi = STRING_START,
     .count_unstated = true, .prepare = fill_data, .check = wrote_nothing},
    {"REP OUTSB with 32-bit addresses", CODE(rep_outsb_address32), .rcx = STALE_INDEX | 8,
     .rdx = SCRATCH_PORT, .rsi = STRING_START, .exits = ONE_EXIT, .prepare = fill_data,
     .check = wrote_last_byte},

    {"IN AX, DX beyond the last port", CODE(in_ax), .rax = PATTERN, .rdx = 0xFFFF,
     .exits = EXITS(IO_INSTRUCTION, MINIMAL, 1), .check = read_into_ax},
    {"IN AL, DX", CODE(in_al), .modes = IN(32) | IN(16) | IN_P | IN(REAL), .rax = 0x5500,
     .rdx = SCRATCH_PORT, .exits = ONE_EXIT, .prepare = fill_data},
    {"IN AL, DX", CODE(in_al), .modes = IN_RING_3, .rdx = SCRATCH_PORT, .fault = FAULT(GP)},
    {"OUT DX, AL", CODE(out_al), .modes = IN_RING_3, .rdx = SCRATCH_PORT, .fault = FAULT(GP)},
    {"IN AL, DX by the I/O permission bitmap", CODE(in_al), .modes = IN_P_USER | IN(V86),
     .rdx = SCRATCH_PORT, .exits = ONE_EXIT, .prepare = fill_data},
    {"IN AL, DX against the I/O permission bitmap", CODE(in_al), .modes = IN_P_USER | IN(V86),
     .rdx = 0x70, .fault = FAULT(GP)},
    {"IN AL, DX with IOPL 3", CODE(in_al), .modes = IN_RING_3, .rdx = SCRATCH_PORT,
     .rflags = RFLAGS_IOPL, .exits = ONE_EXIT, .prepare = fill_data},
    {"INSB to a page that is not there", CODE(insb), .rdx = SCRATCH_PORT,
     .rdi = WINDOW_PAGE(WINDOW_MISSING), .fault = FAULT(PF), .error = PF_WRITE, .exits = ONE_EXIT,
     .check = faulted_at_page},
    {"OUTSB from a page that is not there", CODE(outsb), .rdx = SCRATCH_PORT,
     .rsi = WINDOW_PAGE(WINDOW_MISSING), .fault = FAULT(PF), .exits = ONE_EXIT,
     .check = faulted_at_page},
    {"REP INSB into a page that is not there", CODE(rep_insb), .rcx = 8, .rdx = SCRATCH_PORT,
     .rdi = WINDOW_PAGE(WINDOW_MISSING) - 3, .fault = FAULT(PF), .error = PF_WRITE,
     .exits = ONE_EXIT, .check = stored_up_to_the_page},
};

void test_io(void)
{
    RUN_TESTS(instructions);
}
