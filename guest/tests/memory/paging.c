/*
 * Control registers and paging outside the beaten track: PAE's page-directory pointers, PCIDs, CR0
 * and CR4 in every mode. SDM vol. 3, 'Paging'.
 */
#include "kernel/descriptors.h"
#include "harness/families.h"
#include "harness/instruction_test.h"
#include "harness/legacy.h"
#include "kernel/memory.h"
#include "harness/tap.h"
#include "x86/instructions.h"

#define SWAP(cr) "mov ecx, " #cr "\n mov " #cr ", eax\n mov edx, " #cr "\n mov " #cr ", ecx"
CODE32(swap_cr0, SWAP(cr0));
CODE32(swap_cr4, SWAP(cr4));
CODE32(write_cr0, "mov cr0, eax");
CODE32(write_cr3, "mov cr3, eax");
CODE32(write_cr4, "mov cr4, eax");
CODE32(paging_off_and_on, "mov ecx, cr0\n mov cr0, eax\n mov edx, cr0\n mov cr0, ecx");
CODE32(bad_pointer, "or byte ptr [esi], 2\n mov ecx, cr3\n mov cr3, ecx");
CODE32(bad_pointer_flip, "or byte ptr [esi], 2\n mov cr4, eax");
CODE32(lmsw, "mov ecx, cr0\n lmsw ax\n mov edx, cr0\n mov cr0, ecx");
CODE64(swap_cr4_64, "mov rcx, cr4\n mov cr4, rax\n mov rdx, cr4\n mov cr4, rcx");
CODE64(write_cr4_64, "mov cr4, rax");
CODE64(write_cr3_64, "mov cr3, rax");

#define PDPTE_WRITABLE 2ull /* reserved in PAE paging */
#define RESERVED_CR4 BIT(31)
#define CR_EXITS(profile, n) .exits = EXITS(CR_ACCESS, profile, n)
/* CR0 and CR4 as legacy.asm sets them, the rest as at the start. */
#define FLIP(bits) .rax = bits

static u64 before;

static void flip_legacy_cr0(struct run *run)
{
    u64 paging = run->mode == MODE_P32 ? CR0_PG : 0;
    u64 protection = run->mode == MODE_REAL ? 0 : CR0_PE;

    before = (read_cr0() & ~(CR0_PG | CR0_PE)) | paging | protection;
    run->gpr[RAX] ^= before;
}

static void flip_cr4(struct run *run)
{
    before = read_cr4();
    run->gpr[RAX] ^= before;
}

static const char *reads_what_was_written(const struct run *run)
{
    return run->gpr[RDX] == run->gpr[RAX] ? NULL : "not the value that was written";
}

static const char *task_switched_set(const struct run *run)
{
    return (run->gpr[RDX] & CR0_TS) && !(run->gpr[RCX] & CR0_TS) ? NULL : "CR0.TS was not set";
}

static void third_pointer(struct run *run)
{
    before = read_cr4();
    run->gpr[RAX] ^= before;
    run->gpr[RSI] = (u32)(u64)&pae_pointers[2];
}

static void pointers_back(void)
{
    legacy_init();
}

static bool has_pcid(void)
{
    return cpuid(1, 0).ecx & BIT(17);
}

static void pcids_on(struct run *run)
{
    write_cr4(read_cr4() | CR4_PCIDE);
    run->gpr[RAX] ^= read_cr3();
}

static void pcids_off(void)
{
    write_cr3(read_cr3() & ~CR3_PCID);
    write_cr4(read_cr4() & ~CR4_PCIDE);
}

static const char *pcid_in_cr3(const struct run *run)
{
    return read_cr3() == (run->gpr[RAX] & ~CR3_NO_FLUSH) ? NULL : "CR3 reads differently";
}

static void pcid_in_cr3_already(struct run *run)
{
    before = read_cr4();
    write_cr3(read_cr3() | 0x18); /* PCD and PWT, which would be part of a PCID */
    run->gpr[RAX] = before | CR4_PCIDE;
}

static void cr3_clean(void)
{
    write_cr3(read_cr3() & ~CR3_PCID);
}

#define LEGACY_CR0 .modes = IN_P | IN(REAL), .prepare = flip_legacy_cr0
#define LEGACY_CR4 .modes = IN_P | IN(REAL), .prepare = flip_cr4

static const struct instruction_test legacy[] = {
    {"MOV CR0 flips NE", CODE(swap_cr0), LEGACY_CR0, FLIP(CR0_NE), CR_EXITS(MINIMAL, 2),
     .check = reads_what_was_written},
    {"MOV CR0 flips CD", CODE(swap_cr0), LEGACY_CR0, FLIP(CR0_CD), CR_EXITS(KVM, 2),
     .check = reads_what_was_written},
    {"MOV CR0 flips TS", CODE(swap_cr0), LEGACY_CR0, FLIP(CR0_TS), CR_EXITS(ALL, 2),
     .check = reads_what_was_written},
    {"MOV CR0, NW without CD", CODE(write_cr0), LEGACY_CR0, FLIP(CR0_NW), CR_EXITS(KVM, 1),
     .fault = FAULT(GP)},
    {"MOV CR0, PG without PE", CODE(write_cr0), .modes = IN(REAL), .prepare = flip_legacy_cr0,
     FLIP(CR0_PG), CR_EXITS(MINIMAL, 1), .fault = FAULT(GP)},
    {"MOV CR0, PG off and on", CODE(paging_off_and_on), .modes = IN(P32),
     .prepare = flip_legacy_cr0, FLIP(CR0_PG), CR_EXITS(MINIMAL, 2),
     .check = reads_what_was_written},
    {"LMSW sets TS", CODE(lmsw), .modes = IN_P, .rax = CR0_PE | CR0_TS, CR_EXITS(ALL, 2),
     .check = task_switched_set},
    {"MOV CR4 flips PGE", CODE(swap_cr4), LEGACY_CR4, FLIP(CR4_PGE), CR_EXITS(ALL, 2),
     .check = reads_what_was_written},
    {"MOV CR4 flips PSE", CODE(swap_cr4), LEGACY_CR4, FLIP(CR4_PSE), CR_EXITS(KVM, 2),
     .check = reads_what_was_written},
    {"MOV CR4, reserved bit", CODE(write_cr4), LEGACY_CR4, FLIP(RESERVED_CR4), CR_EXITS(MINIMAL, 1),
     .fault = FAULT(GP)},
    {"MOV CR4 sets PCIDE", CODE(write_cr4), LEGACY_CR4, FLIP(CR4_PCIDE), CR_EXITS(KVM, 1),
     .fault = FAULT(GP)},
    {"MOV CR3 with a bad page-directory pointer", CODE(bad_pointer), .modes = IN(P32),
     CR_EXITS(ALL, 2), .fault = FAULT(GP), .fault_rip = 6, .prepare = third_pointer,
     .restore = pointers_back},
    {"MOV CR4 flips PGE with a bad page-directory pointer", CODE(bad_pointer_flip),
     .modes = IN(P32), FLIP(CR4_PGE), CR_EXITS(ALL, 1), .fault = FAULT(GP), .fault_rip = 3,
     .prepare = third_pointer, .restore = pointers_back},
};

static const struct instruction_test pcids[] = {
    {"MOV CR4 flips PCIDE", CODE(swap_cr4_64), FLIP(CR4_PCIDE), CR_EXITS(KVM, 2),
     .available = has_pcid, .prepare = flip_cr4, .check = reads_what_was_written},
    {"MOV CR4 sets PCIDE with a PCID in CR3", CODE(write_cr4_64), CR_EXITS(KVM, 1),
     .fault = FAULT(GP), .available = has_pcid, .prepare = pcid_in_cr3_already,
     .restore = cr3_clean},
    {"MOV CR3 of another PCID", CODE(write_cr3_64), FLIP(5), CR_EXITS(ALL, 1),
     .available = has_pcid, .prepare = pcids_on, .check = pcid_in_cr3, .restore = pcids_off},
    {"MOV CR3 without a flush", CODE(write_cr3_64), FLIP(5 | CR3_NO_FLUSH), CR_EXITS(ALL, 1),
     .available = has_pcid, .prepare = pcids_on, .check = pcid_in_cr3, .restore = pcids_off},
};

void test_paging(void)
{
    RUN_TESTS(legacy);
    RUN_TESTS(pcids);
}
