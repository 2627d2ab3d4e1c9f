/*
 * What this CPU's paging can do, which addresses there are, and what the firmware's MTRRs say of
 * them. SDM vol. 2, CPUID.80000008H; vol. 1, 'Canonical Addressing'.
 */
#include "lib/safe.h"
#include "memory/guest_memory.h"
#include "memory/mtrr.h"
#include "vmx/guest_state.h"
#include "x86/msr.h"

#define WIDTHS_UNTOLD (48 << 8 | 36)
#define EPT_ADDRESS_BITS 48 /* what four levels translate */
#define CPUID_1_EDX_MTRR BIT(12)
#define TME_LOCKED_AND_ENABLED 3
#define TME_KEY_BITS(activate) ((unsigned)((activate) >> 32) & 15)

struct paging_features paging_features;

/* Memory encryption with several keys takes the highest address bits for the key: with another key
 * the same memory has other addresses, which must not be mapped. CPUID is not asked: firmware, too,
 * may have hidden leaf 7 by IA32_MISC_ENABLE. */
static unsigned address_bits_of_keys(void)
{
    u64 activate;
    if (!rdmsr_safe(IA32_TME_ACTIVATE, &activate) ||
        (activate & TME_LOCKED_AND_ENABLED) != TME_LOCKED_AND_ENABLED)
        return 0;
    return TME_KEY_BITS(activate);
}

void paging_features_read(void)
{
    bool told = cpuid(0x80000000, 0).eax >= 0x80000008;
    u32 widths = told ? cpuid(0x80000008, 0).eax : WIDTHS_UNTOLD;
    unsigned bits = (widths & 0xFF) - address_bits_of_keys();
    paging_features.physical_address_width = bits < EPT_ADDRESS_BITS ? bits : EPT_ADDRESS_BITS;
    paging_features.la57 = (widths >> 8 & 0xFF) == 57;
    paging_features.pages_1g = cpuid(0x80000001, 0).edx & BIT(26);
}

void mtrr_read(struct mtrr_state *state)
{
    *state = (struct mtrr_state){.def_type = BIT(11) | CACHE_WB,
                                 .physical_bits = paging_features.physical_address_width};
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR))
        return;
    state->cap = rdmsr(IA32_MTRRCAP);
    for (u32 msr = IA32_MTRR_PHYSBASE0; msr <= IA32_MTRR_DEF_TYPE; msr++) {
        u64 *mtrr = mtrr_register(state, msr);
        if (mtrr)
            *mtrr = rdmsr(msr);
    }
    for (unsigned i = 0; i < MTRR_VARIABLE_MAX; i++) { /* as a CPU of that width has them */
        u64 known = BIT(state->physical_bits) - 1;
        state->variable[i].mask &= state->variable[i].base > known ? 0 : known;
        state->variable[i].base &= known;
    }
}

static bool is_linear(u64 linear, bool la57)
{
    return guest_long_mode() ? is_canonical(linear, la57 ? 57 : 48) : linear >> 32 == 0;
}

bool guest_canonical(u64 linear)
{
    return is_linear(linear, vmread(GUEST_CR4) & CR4_LA57);
}

bool guest_canonical_operand(u64 linear)
{
    return is_linear(linear, paging_features.la57);
}
