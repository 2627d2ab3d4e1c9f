#include "memory/mtrr.h"
#include "x86/msr.h"

#define CAP_VARIABLE_COUNT 0xFFu
#define CAP_FIXED BIT(8)
#define CAP_WC BIT(10)
#define DEF_TYPE_FIXED_ENABLE BIT(10)
#define DEF_TYPE_RESERVED (~0xFFFull | BIT(9) | BIT(8))
#define BASE_RESERVED 0xF00ull
#define MASK_RESERVED 0x7FFull
#define MASK_VALID BIT(11)

static unsigned variable_count(const struct mtrr_state *state)
{
    unsigned count = state->cap & CAP_VARIABLE_COUNT;
    return count < MTRR_VARIABLE_MAX ? count : MTRR_VARIABLE_MAX;
}

u64 *mtrr_register(struct mtrr_state *state, u32 msr)
{
    u32 variable = msr - IA32_MTRR_PHYSBASE0;
    if (variable < 2 * variable_count(state))
        return variable % 2 ? &state->variable[variable / 2].mask
                            : &state->variable[variable / 2].base;
    if (msr == IA32_MTRR_DEF_TYPE && state->cap)
        return &state->def_type;
    if (!(state->cap & CAP_FIXED))
        return NULL;
    if (msr == IA32_MTRR_FIX64K_00000)
        return &state->fixed_register[0];
    if (msr - IA32_MTRR_FIX16K_80000 < 2)
        return &state->fixed_register[1 + msr - IA32_MTRR_FIX16K_80000];
    if (msr - IA32_MTRR_FIX4K_C0000 < 8)
        return &state->fixed_register[3 + msr - IA32_MTRR_FIX4K_C0000];
    return NULL;
}

/* What is no type, or reserved, is uncacheable. */
static u8 known_type(u8 type)
{
    return type == CACHE_WC || type == CACHE_WT || type == CACHE_WP || type == CACHE_WB ? type
                                                                                        : CACHE_UC;
}

static bool is_type(const struct mtrr_state *state, u64 type)
{
    u8 byte = (u8)type;
    return known_type(byte) == byte && (byte != CACHE_WC || (state->cap & CAP_WC));
}

static bool is_legal_value(const struct mtrr_state *state, u32 msr, u64 value)
{
    u64 beyond = ~0ull << state->physical_bits;
    if (msr == IA32_MTRR_DEF_TYPE)
        return is_type(state, value) && !(value & DEF_TYPE_RESERVED);
    if (msr <= IA32_MTRR_LAST_PHYSMASK)
        return msr % 2 ? !(value & (beyond | MASK_RESERVED))
                       : is_type(state, value) && !(value & (beyond | BASE_RESERVED));
    for (unsigned i = 0; i < 8; i++)
        if (!is_type(state, value >> (8 * i)))
            return false;
    return true;
}

bool mtrr_write(struct mtrr_state *state, u32 msr, u64 value)
{
    u64 *mtrr = mtrr_register(state, msr);
    if (!mtrr || !is_legal_value(state, msr, value))
        return false;
    *mtrr = value;
    return true;
}

/* Shortens *until to the end of the aligned block of `size` (a power of two) around `address`. */
static void limit_to_block(u64 address, u64 size, u64 *until)
{
    u64 end = align_down(address, size) + size;
    if (end < *until)
        *until = end;
}

static u8 fixed_type(const struct mtrr_state *state, u64 address, u64 *until)
{
    static const struct {
        u32 start, size, first;
    } group[] = {{0xC0000, 4 * KIB, 24}, {0x80000, 16 * KIB, 8}, {0, 64 * KIB, 0}};
    unsigned g = 0;
    while (address < group[g].start)
        g++;
    limit_to_block(address, group[g].size, until);
    return state->fixed[group[g].first + (address - group[g].start) / group[g].size];
}

/* 'MTRR Precedences': UC wins, WT wins over WB; other mixtures are undefined, UC is safe. */
static u8 combined_type(u8 a, u8 b)
{
    if (a == b)
        return a;
    if ((a == CACHE_WT && b == CACHE_WB) || (a == CACHE_WB && b == CACHE_WT))
        return CACHE_WT;
    return CACHE_UC;
}

static u8 variable_type(const struct mtrr_state *state, u64 address, u64 *until)
{
    const u8 none = 0xFF;
    u8 type = none;
    for (unsigned i = 0; i < variable_count(state); i++) {
        u64 base = state->variable[i].base, mask = state->variable[i].mask & ~(PAGE_SIZE - 1);
        if (!(state->variable[i].mask & MASK_VALID))
            continue;
        u64 differing = (address ^ base) & mask;
        if (!differing)
            type = type == none ? (u8)base : combined_type(type, (u8)base);
        /* A match lasts while no bit of the mask changes, a miss while its highest differing bit
         * stays: below it nothing can make up for it. */
        if (differing)
            limit_to_block(address, BIT(63 - __builtin_clzll(differing)), until);
        else if (mask)
            limit_to_block(address, mask & -mask, until);
    }
    return type == none ? (u8)state->def_type : type;
}

/* The type at `address` and, as far as this look at it can tell, how far it goes. */
static u8 type_at(const struct mtrr_state *state, u64 address, u64 *until)
{
    *until = BIT(state->physical_bits);
    if (!mtrrs_are_on(state))
        return CACHE_UC;
    bool fixed = (state->cap & CAP_FIXED) && (state->def_type & DEF_TYPE_FIXED_ENABLE);
    return fixed && address < MIB ? fixed_type(state, address, until)
                                  : variable_type(state, address, until);
}

u8 mtrr_type_within(const struct mtrr_state *state, u64 address, u64 *uniform_until,
                    unsigned *steps)
{
    u64 top = BIT(state->physical_bits), next;
    if (!*steps) {
        *uniform_until = top;
        return CACHE_UC;
    }
    u8 type = known_type(type_at(state, address, uniform_until));
    while (--*steps && *uniform_until < top) {
        if (known_type(type_at(state, *uniform_until, &next)) != type)
            break;
        *uniform_until = next;
    }
    return type;
}

u8 mtrr_type(const struct mtrr_state *state, u64 address, u64 *uniform_until)
{
    unsigned steps = 256; /* masks with holes could make it endless */
    return mtrr_type_within(state, address, uniform_until, &steps);
}

bool mtrr_difference(const struct mtrr_state *a, const struct mtrr_state *b, u64 *from, u64 *to)
{
    unsigned steps = MTRR_STEPS;
    u64 top = BIT(a->physical_bits), until_a, until_b;
    *from = *to = top;
    for (u64 address = 0; address < top; address = until_a < until_b ? until_a : until_b) {
        u8 type_a = mtrr_type_within(a, address, &until_a, &steps);
        u8 type_b = mtrr_type_within(b, address, &until_b, &steps);
        if (type_a == type_b && steps)
            continue;
        if (*from == top)
            *from = address;
        *to = !steps ? top : until_a < until_b ? until_a : until_b;
    }
    return *from < top;
}
