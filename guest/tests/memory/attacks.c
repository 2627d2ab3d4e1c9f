/* What a guest with one CPU might try on Tally: state that VM entry refuses, address lines. */
#include "harness/families.h"
#include "kernel/memory.h"
#include "harness/run.h"
#include "kernel/statistics.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define LOWER_HALF_END 0x0000800000000000ull
#define PAGE_FLAGS 3 /* present, writable */
#define CPUID_LENGTH 2

CODE64(jump_there, "jmp rdi");

/* ---- The last instruction below the hole in the linear addresses ---- */

static u64 pointers[512] __attribute__((aligned(4096)));
static u64 directory[512] __attribute__((aligned(4096)));
static u64 table[512] __attribute__((aligned(4096)));
static u8 last_page[4096] __attribute__((aligned(4096)));

static void test_edge_of_addresses(void)
{
    struct run r = {
        .mode = MODE_64, .code = CODE(jump_there), .gpr[RDI] = LOWER_HALF_END - CPUID_LENGTH};

    last_page[4094] = 0x0F;
    last_page[4095] = 0xA2;
    table[511] = (u64)last_page | PAGE_FLAGS;
    directory[511] = (u64)table | PAGE_FLAGS;
    pointers[511] = (u64)directory | PAGE_FLAGS;
    pml4[255] = (u64)pointers | PAGE_FLAGS;
    run(&r);
    pml4[255] = 0;
    write_cr3(read_cr3());
    ok(r.vector == VECTOR_GP, "CPUID as the last instruction of the lower half");
}

/* ---- Address line 20 ---- */

/* System control port A, bit 1. Real mode, whose code and data have the line at 0 anyway. */
CODE16(a20, "in al, 0x92\n mov bl, al\n and al, 0xFD\n out 0x92, al\n cpuid\n mov eax, 0\n cpuid\n"
            "mov al, 2\n out 0x92, al\n mov esi, 0x1234");

static void test_a20(void)
{
    struct run r = {.mode = MODE_REAL, .code = CODE(a20)};

    run(&r);
    ok(r.gpr[RSI] == 0x1234, "address line 20 switched off and on");
}

void test_attacks(void)
{
    test_edge_of_addresses();
    test_a20();
}
