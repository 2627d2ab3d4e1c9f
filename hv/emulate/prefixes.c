#include "emulate/prefixes.h"
#include "lib/string.h"
#include "memory/guest_memory.h"
#include "vmx/guest_state.h"

#define INSTRUCTION_MAX 15
#define REX_W BIT(3)

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

struct prefixes guest_prefixes(void)
{
    bool long_code = guest_64bit_code();
    bool wide_code = long_code || (vmread(GUEST_CS_ACCESS_RIGHTS) & AR_DB);
    bool operand = false, address = false, rex_w = false;
    struct prefixes prefixes = {.segment = -1};
    u8 code[INSTRUCTION_MAX];
    size_t length = read_code(code);

    for (size_t i = 0; i < length; i++) {
        int segment = segment_override(code[i]);
        if (long_code && (code[i] & 0xF0) == 0x40) {
            rex_w = code[i] & REX_W;
            continue;
        }
        if (segment >= 0 && (!long_code || segment >= FS))
            prefixes.segment = segment;
        else if (code[i] == 0x66)
            operand = true;
        else if (code[i] == 0x67)
            address = true;
        else if (segment < 0 && !is_lock_or_repeat(code[i]))
            break;
        rex_w = false; /* REX counts only right before the opcode */
    }
    prefixes.operand_size = rex_w ? 8 : wide_code != operand ? 4 : 2;
    prefixes.address_size = long_code ? (address ? 4 : 8) : (wide_code != address ? 4 : 2);
    return prefixes;
}

#define VEX 0xC4
#define EVEX 0x62
#define ESCAPE 0x0F
#define ESCAPE_38 0x38

static bool is_prefix(u8 byte)
{
    return byte == 0x66 || byte == 0x67 || is_lock_or_repeat(byte) || segment_override(byte) >= 0;
}

bool guest_operands(struct operands *operands)
{
    u8 code[2 * INSTRUCTION_MAX] = {0}; /* zeros behind: whatever it says, nothing lies beyond */
    size_t length = read_code(code), at = 0;
    u8 extension = 0; /* R in bit 2 and B in bit 0, as in REX */

    if (!length)
        return false;
    while (at < length - 1 && is_prefix(code[at]))
        at++;
    if ((code[at] & 0xF0) == 0x40)
        extension = code[at++];
    operands->vex = code[at] == VEX || code[at] == EVEX;
    if (operands->vex) { /* both have R and B, inverted, in bits 7 and 5 */
        extension = (u8)~code[at + 1] >> 5;
        at += code[at] == VEX ? 3 : 4;
    } else if (code[at] == ESCAPE) {
        at += code[at + 1] == ESCAPE_38 ? 2 : 1;
    }
    u8 modrm = code[at + 1];
    operands->opcode = code[at];
    operands->reg = (modrm >> 3 & 7) | (extension & 4) << 1;
    operands->rm = (modrm & 7) | (extension & 1) << 3;
    memcpy(&operands->immediate, &code[at + 2], sizeof(operands->immediate));
    return true;
}
