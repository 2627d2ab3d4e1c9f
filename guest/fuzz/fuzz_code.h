/* Writing machine code into a snippet. */
#ifndef GUEST_FUZZ_CODE_H
#define GUEST_FUZZ_CODE_H

#include "fuzz/fuzz.h"

#define MODRM_REGISTER 0xC0
#define PREFIX_OPERAND_SIZE 0x66
#define PREFIX_ADDRESS_SIZE 0x67

void put(struct snippet *s, u32 bytes, u64 value);
/* Marks the start of an instruction. */
void begin(struct snippet *s);
/* One instruction without operands, its opcode as it stands in memory, last byte lowest. */
void instruction(struct snippet *s, u32 opcode);
/* MOV register, value; as wide as the mode has it. */
void load(struct snippet *s, u32 gpr, u64 value);

/* An operand in memory: how to reach `address` by registers that are loaded for it. */
struct operand {
    bool relative_to_rip;
    u64 address;
    u8 address_bits; /* 16, 32 or 64 */
    u8 mod, base, index, scale;
    u32 displacement;
};
/* Chooses one at random and writes the loads. */
struct operand memory_operand(struct snippet *s, u64 address);
/* Prefixes, opcode (as for instruction()) and operand: `reg` is ModRM.reg with REX.R. */
void with_operand(struct snippet *s, u32 prefix, u32 opcode, u32 reg, const struct operand *o);
/* The same with a register for the operand. */
void with_register(struct snippet *s, u32 prefix, u32 opcode, u32 reg, u32 rm);

/* Where a snippet may read and write, in all modes; often at a bad place. */
u64 random_address(struct snippet *s);
/* For what Tally may store in software: it drops what would go to its own memory, where the CPU's
 * own stores land in junk. */
u64 random_store_address(struct snippet *s);
/* An address as the mode's own segments want it. */
u64 offset_of(struct snippet *s, u64 address);
/* Any register but RSP, which the way back needs. */
u32 random_register(const struct snippet *s);
u64 random_value(void);
/* All that the GDT has, with other privilege levels, and what it has not. */
u16 fuzz_random_selector(void);

/* fuzz_left_out.c: what no two runs have the same, or Tally hides. */
bool fuzz_is_hidden_instruction(u32 opcode);
bool fuzz_is_hidden_msr(u32 number);
bool fuzz_is_clock_msr(u32 number);
bool fuzz_is_own_leaf(u32 leaf);
/* In 64-bit code, where the emulator takes half of an operand without. */
bool fuzz_wants_rex_w(u32 opcode);
/* Two bytes that are, or begin, such an instruction, wherever a jump leads to. */
bool fuzz_is_unequal(u8 first, u8 second);
/* The byte would make MOV to or from a debug register that no CPU has: the emulator's exit is
 * wrong. */
bool fuzz_is_missing_debug_register(const struct snippet *s, u8 byte);
/* ... or an instruction of which the SDM does not say what it does at the end of a flat segment. */
bool fuzz_may_wrap(const struct snippet *s, u8 byte);
/* After an instruction with such a result: a load of the register; a snippet that ends before the
 * load is left out for `why`. */
void fuzz_overwrite(struct snippet *s, enum fuzz_left_out why, u32 gpr);
void fuzz_overwrite_results(struct snippet *s, u32 opcode);
void fuzz_clear_hidden_bits(struct snippet *s, u32 leaf);

bool fuzz_is_32_bit_paged(const struct snippet *s);
u64 fuzz_cr4_for(const struct snippet *s, u64 value);
void fuzz_mov_to_cr(struct snippet *s, u32 cr, u64 value);
/* A value of CR0 with these of PE and PG, and other bits at random. */
u64 fuzz_cr0_with(u64 modes);
/* The paging structures of the mode. */
u64 fuzz_cr3_for(const struct snippet *s);
/* Any template. */
void fuzz_template(struct snippet *s);

/* Templates, in fuzz_registers.c, fuzz_memory.c, fuzz_segments.c, fuzz_tasks.c, fuzz_gates.c,
 * fuzz_modes.c and fuzz_breakpoints.c: an instruction with the loads that it needs. */
void fuzz_cpuid(struct snippet *s);
void fuzz_rdmsr(struct snippet *s);
void fuzz_wrmsr(struct snippet *s);
void fuzz_cr_write(struct snippet *s);
void fuzz_cr_read(struct snippet *s);
void fuzz_lmsw(struct snippet *s);
void fuzz_debug_register(struct snippet *s);
void fuzz_xsetbv(struct snippet *s);
void fuzz_selector(struct snippet *s);
void fuzz_segment_load(struct snippet *s);
void fuzz_task_switch(struct snippet *s);
void fuzz_breakpoint(struct snippet *s);
void fuzz_call_gate(struct snippet *s);
void fuzz_paging_switch(struct snippet *s);
void fuzz_protection_switch(struct snippet *s);
void fuzz_table_load(struct snippet *s);
void fuzz_port(struct snippet *s);
void fuzz_string_io(struct snippet *s);
void fuzz_memory(struct snippet *s);

#endif
