#include "emulate/operand.h"
#include "lib/string.h"
#include "memory/guest_memory.h"
#include "vmx/guest_state.h"

#define INSTRUCTION_MAX 15
#define REX 0x40
#define REX_W BIT(3)
#define VEX 0xC4
#define EVEX 0x62
#define ESCAPE 0x0F
#define ESCAPE_38 0x38

/* The segment that a prefix byte names, or -1. */
static int segment_override(u8 byte)
{
    switch (byte) {
    case 0x26: return ES;
    case 0x2E: return CS;
    case 0x36: return SS;
    case 0x3E: return DS;
    case 0x64: return FS;
    case 0x65: return GS;
    default: return -1;
    }
}

static bool is_lock_or_repeat(u8 byte)
{
    return byte == 0xF0 || byte == 0xF2 || byte == 0xF3;
}

static u64 code_address(void)
{
    u64 rip = vmread(GUEST_RIP);
    return guest_64bit_code() ? rip : (u32)(vmread(GUEST_CS_BASE) + rip);
}

/* How many of the instruction's bytes could be read: it may end right before a missing page. */
static size_t read_code(u8 code[INSTRUCTION_MAX])
{
    size_t length = vmread(VM_EXIT_INSTRUCTION_LENGTH);
    struct guest_fault fault;
    if (length > INSTRUCTION_MAX)
        length = INSTRUCTION_MAX;
    return guest_fetch(code_address(), code, length, guest_cpl(), &fault) ? length : 0;
}

struct prefixes {
    bool operand, address;
    int segment;
    u8 rex; /* the last one; it counts only right before the opcode */
};

/* False: the byte is the opcode's first. */
static bool take_prefix(struct prefixes *prefixes, u8 byte, bool long_code)
{
    int segment = segment_override(byte);
    bool rex = long_code && (byte & 0xF0) == REX;
    if (segment >= 0 && (!long_code || segment >= FS))
        prefixes->segment = segment;
    else if (byte == 0x66)
        prefixes->operand = true;
    else if (byte == 0x67)
        prefixes->address = true;
    else if (!rex && segment < 0 && !is_lock_or_repeat(byte))
        return false;
    prefixes->rex = rex ? byte : 0;
    return true;
}

static void set_sizes(struct instruction *instruction, const struct prefixes *prefixes,
                      bool long_code)
{
    bool wide_code = long_code || (vmread(GUEST_CS_ACCESS_RIGHTS) & AR_DB);
    bool wide_operand = wide_code != prefixes->operand;
    bool wide_address = wide_code != prefixes->address;
    instruction->operand_size = prefixes->rex & REX_W ? 8 : wide_operand ? 4 : 2;
    instruction->address_size = long_code ? (prefixes->address ? 4 : 8) : wide_address ? 4 : 2;
}

/* From the opcode on. */
static void set_operands(struct instruction *instruction, const u8 *code, u8 rex)
{
    u8 extension = rex; /* R in bit 2 and B in bit 0 */
    instruction->vex = *code == VEX || *code == EVEX;
    if (instruction->vex) { /* both have R and B, inverted, in bits 7 and 5 */
        extension = (u8)~code[1] >> 5;
        code += *code == VEX ? 3 : 4;
    } else if (*code == ESCAPE) {
        code += code[1] == ESCAPE_38 ? 2 : 1;
    }
    u8 modrm = code[1];
    instruction->reg = (modrm >> 3 & 7) | (extension & 4) << 1;
    instruction->rm = (modrm & 7) | (extension & 1) << 3;
    memcpy(&instruction->immediate, code + 2, sizeof(instruction->immediate));
}

struct instruction guest_instruction(void)
{
    u8 code[2 * INSTRUCTION_MAX] = {0}; /* zeros after it: whatever it says, nothing lies beyond */
    struct instruction instruction = {.length = read_code(code)};
    struct prefixes prefixes = {.segment = -1};
    bool long_code = guest_64bit_code();
    size_t at = 0;

    while (at < instruction.length && take_prefix(&prefixes, code[at], long_code))
        at++;
    instruction.segment = prefixes.segment;
    set_sizes(&instruction, &prefixes, long_code);
    set_operands(&instruction, code + at, prefixes.rex);
    return instruction;
}
