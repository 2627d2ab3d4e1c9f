/* INS and OUTS: segments, address sizes, wrap-around, limits, page faults in the middle. */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "kernel/memory.h"
#include "x86/instructions.h"
#include "x86/msr.h"

CODE64(insb, "insb");
CODE64(insw, "insw");
CODE64(insd, "insd");
CODE64(outsb, "outsb");
CODE64(outsb_fs, "outsb dx, byte ptr fs:[rsi]");
CODE64(rep_insb, "rep insb");
CODE64(rep_insw, "rep insw");
CODE64(rep_outsb, "rep outsb");
CODE64(insb_address32, ".byte 0x67\n insb");
CODE64(rep_insb_address32, ".byte 0x67\n rep insb");
CODE16(outsb_es, "push ds\n pop es\n outsb dx, byte ptr es:[si]");

#define PORT 0x87 /* page register of DMA channel 0, which nobody uses */
#define AT_PORT 0x5A
#define UPPER_HALF 0xA5A5A5A500000000ull
#define LOW_OFFSET (LOW_DATA - LOW_MEMORY) /* in 16-bit segments */
#define FS_OFFSET 0x100
#define NOT_CANONICAL 0x0000900000000000ull
#define MISSING WINDOW_PAGE(WINDOW_MISSING)
#define DATA ((volatile u8 *)(u64)LOW_DATA)
#define PLAIN_END ((volatile u8 *)(u64)MISSING) /* behind the last byte of the plain page */
#define IN_16_BIT (IN(P16) | IN(V86) | IN(REAL))

static void fill(struct run *run)
{
    (void)run;
    for (u32 i = 0; i < 64; i++)
        DATA[i] = (u8)(0x40 + i);
    for (u32 i = 1; i <= 8; i++)
        PLAIN_END[-(long)i] = 0xEE;
    outb(PORT, AT_PORT);
}

static void fill_and_set_fs(struct run *run)
{
    fill(run);
    wrmsr(IA32_FS_BASE, LOW_DATA - FS_OFFSET);
}

static void fs_back(void)
{
    wrmsr(IA32_FS_BASE, 0);
}

static const char *first_byte_at_port(const struct run *run)
{
    (void)run;
    return inb(PORT) == 0x40 ? NULL : "another byte at the port";
}

static const char *stored(const struct run *run)
{
    (void)run;
    return DATA[0] == AT_PORT && DATA[1] == 0x41 ? NULL : "not exactly one byte stored";
}

static const char *index_wrapped(const struct run *run)
{
    return (u16)run->gpr[RDI] == 1 && !(u16)run->gpr[RCX] ? NULL : "DI did not wrap around";
}

static const char *index_of_32_bits(const struct run *run)
{
    return run->gpr[RDI] == LOW_DATA + 1 ? stored(run) : "not 32 bits of RDI, zero-extended";
}

static const char *count_of_32_bits(const struct run *run)
{
    if (run->gpr[RCX] || run->gpr[RDI] != LOW_DATA + 4)
        return "not 32 bits of RCX and RDI";
    return DATA[3] == AT_PORT && DATA[4] == 0x44 ? NULL : "not exactly four bytes stored";
}

static const char *in_missing_page(const struct run *run)
{
    return run->cr2 == MISSING ? NULL : "CR2 is not the missing page";
}

static const char *nothing_stored(const struct run *run)
{
    if (PLAIN_END[-1] != 0xEE || run->gpr[RDI] != MISSING - 1)
        return "part of a word was stored";
    return in_missing_page(run);
}

static const char *two_words_stored(const struct run *run)
{
    if (run->gpr[RCX] != 3 || run->gpr[RDI] != MISSING - 1)
        return "it did not stop in front of the page";
    return PLAIN_END[-1] == 0xEE && PLAIN_END[-5] != 0xEE ? in_missing_page(run) : "wrong words";
}

static const char *index_in_cr2(const struct run *run)
{
    return run->cr2 == run->gpr[RDI] ? NULL : "CR2 is not the address";
}

static const char *down_to_the_page(const struct run *run)
{
    return run->gpr[RCX] == 8 && run->gpr[RDI] == MISSING + 3 ? NULL : "it moved without a store";
}

#define ONE_EXIT .exits = EXITS(IO_INSTRUCTION, KVM, 1), .rdx = PORT
#define PREPARED ONE_EXIT, .prepare = fill

static const struct instruction_test tests[] = {
    {"OUTSB", CODE(outsb), .modes = IN_16_BIT, .rsi = LOW_OFFSET, PREPARED,
     .check = first_byte_at_port},
    {"OUTSB", CODE(outsb), .modes = IN(32) | IN(P32), .rsi = LOW_DATA, PREPARED,
     .check = first_byte_at_port},
    {"OUTSB with ES", CODE(outsb_es), .modes = IN_16_BIT, .rsi = LOW_OFFSET, PREPARED,
     .check = first_byte_at_port},
    {"OUTSB with FS", CODE(outsb_fs), .rsi = FS_OFFSET, ONE_EXIT, .prepare = fill_and_set_fs,
     .check = first_byte_at_port, .restore = fs_back},
    {"INSB", CODE(insb), .modes = IN_16_BIT, .rdi = LOW_OFFSET, PREPARED, .check = stored},
    {"INSB", CODE(insb), .modes = IN(32) | IN(P32) | IN(P32_USER), .rdi = LOW_DATA, PREPARED,
     .check = stored},
    {"REP INSB wraps DI around", CODE(rep_insb), .modes = IN_16_BIT, .rcx = 2, .rdi = 0xFFFF,
     PREPARED, .check = index_wrapped},
    {"INSW beyond the segment's limit", CODE(insw), .modes = IN_16_BIT, .rdi = 0xFFFF,
     .fault = FAULT(GP), PREPARED},
    {"INSB with a 32-bit address", CODE(insb_address32), .rdi = UPPER_HALF | LOW_DATA, PREPARED,
     .check = index_of_32_bits},
    {"REP INSB with a 32-bit count", CODE(rep_insb_address32), .rcx = UPPER_HALF | 4,
     .rdi = UPPER_HALF | LOW_DATA, PREPARED, .check = count_of_32_bits},
    {"INSB, not canonical", CODE(insb), .rdi = NOT_CANONICAL, .fault = FAULT(GP), PREPARED},
    {"INSW across the end of the last page", CODE(insw), .rdi = MISSING - 1, .fault = FAULT(PF),
     .error = PF_WRITE, PREPARED, .check = nothing_stored},
    {"REP INSW into a missing page", CODE(rep_insw), .rcx = 5, .rdi = MISSING - 5,
     .fault = FAULT(PF), .error = PF_WRITE, PREPARED, .check = two_words_stored},
    {"REP INSB downwards from a missing page", CODE(rep_insb), .rcx = 8, .rdi = MISSING + 3,
     .rflags = RFLAGS_DF, .fault = FAULT(PF), .error = PF_WRITE, PREPARED,
     .check = down_to_the_page},
    {"INSB to a read-only page", CODE(insb), .modes = IN(64_USER), .rflags = RFLAGS_IOPL,
     .rdi = WINDOW_PAGE(WINDOW_READ_ONLY), .fault = FAULT(PF),
     .error = PF_PRESENT | PF_WRITE | PF_USER, PREPARED, .check = index_in_cr2},
    {"INSB to a supervisor page", CODE(insb), .modes = IN(P32_USER),
     .rdi = WINDOW_PAGE(WINDOW_SUPERVISOR), .fault = FAULT(PF),
     .error = PF_PRESENT | PF_WRITE | PF_USER, PREPARED, .check = index_in_cr2},
    {"INSD to a read-only page", CODE(insd), .rdi = WINDOW_PAGE(WINDOW_READ_ONLY),
     .fault = FAULT(PF), .error = PF_PRESENT | PF_WRITE, PREPARED, .check = index_in_cr2},
    {"REP OUTSB", CODE(rep_outsb), .modes = IN_RING_3, .rcx = 1, .rsi = LOW_DATA, .rdx = PORT,
     .fault = FAULT(GP)},
};

void test_string_io(void)
{
    RUN_TESTS(tests);
}
