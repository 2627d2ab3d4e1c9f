/* Registers, ports, MSRs: what the CPU has besides the VMCS. */
#include "fake_vmcs.h"

#include <string.h>

#include "x86/instructions.h"

#define WEAK __attribute__((weak))

struct fake_msrs fake_msrs;

/* Its place, or one after the last. */
static unsigned place_of(u32 msr)
{
    unsigned i = 0;
    while (i < fake_msrs.count && fake_msrs.msr[i].msr != msr)
        i++;
    return i;
}

void fake_msr(u32 msr, u64 value)
{
    unsigned i = place_of(msr);
    assert_true(i < ARRAY_SIZE(fake_msrs.msr));
    if (i == fake_msrs.count)
        fake_msrs.count++;
    fake_msrs.msr[i].msr = msr;
    fake_msrs.msr[i].value = value;
}

bool fake_msr_get(u32 msr, u64 *value)
{
    unsigned i = place_of(msr);
    if (i == fake_msrs.count)
        return false;
    *value = fake_msrs.msr[i].value;
    return true;
}

bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool xsetbv_safe(u32 index, u64 value);
bool rdpmc_safe(u32 counter, u64 *value);

WEAK bool rdmsr_safe(u32 msr, u64 *value)
{
    return fake_msr_get(msr, value);
}

WEAK bool wrmsr_safe(u32 msr, u64 value)
{
    u64 old;
    if (!fake_msr_get(msr, &old))
        return false;
    fake_msr(msr, value);
    return true;
}

WEAK bool xsetbv_safe(u32 index, u64 value)
{
    if (index || !(value & 1) || (value & ~(7 | XCR0_APX)) || (value & 6) == 4)
        return false;
    fake_cpu.xcr0 = value;
    return true;
}

WEAK bool rdpmc_safe(u32 counter, u64 *value)
{
    *value = fake_cpu.pmc;
    return counter < fake_cpu.pmcs;
}

void *guest_ram(u64 physical, size_t size);
WEAK void *guest_ram(u64 physical, size_t size)
{
    return size <= FAKE_RAM && physical <= FAKE_RAM - size ? &fake_ram[physical] : NULL;
}

/* x86/instructions.h: MSRs that are known to exist, and the rest of what user code may not do. */

WEAK u64 rdmsr(u32 msr)
{
    u64 value;
    if (!fake_msr_get(msr, &value))
        fail_msg("RDMSR of %#x, which the test has not set", msr);
    return value;
}

WEAK void wrmsr(u32 msr, u64 value)
{
    u64 old = rdmsr(msr);
    (void)old;
    fake_msr(msr, value);
}

WEAK u64 read_cr4(void)
{
    return fake_get(HOST_CR4);
}

WEAK void write_cr4(u64 value)
{
    fake_set(HOST_CR4, value);
}

WEAK void wbinvd(void)
{
    fake_cpu.wbinvds++;
}

WEAK void cli(void)
{
}

WEAK void hlt(void)
{
    fail_msg("Tally halts the CPU");
}

static void log_port(u16 port, unsigned size, bool out, u32 value)
{
    if (fake_cpu.port_accesses < ARRAY_SIZE(fake_cpu.ports))
        fake_cpu.ports[fake_cpu.port_accesses] =
            (struct fake_port_access){port, (u8)size, out, value};
    fake_cpu.port_accesses++;
}

static u32 read_port(u16 port, unsigned size)
{
    u32 value = size == 4 ? fake_cpu.port_value : fake_cpu.port_value & ((1u << 8 * size) - 1);
    log_port(port, size, false, value);
    return value;
}

#define PORT(suffix, type)                                                                         \
    WEAK type in##suffix(u16 port)                                                                 \
    {                                                                                              \
        return (type)read_port(port, sizeof(type));                                                \
    }                                                                                              \
    WEAK void out##suffix(u16 port, type value)                                                    \
    {                                                                                              \
        log_port(port, sizeof(type), true, value);                                                 \
    }
PORT(b, u8)
PORT(w, u16)
PORT(l, u32)

WEAK void port_in_string(u16 port, unsigned size, u8 *memory, u64 count)
{
    for (; count; count--, memory += size) {
        u32 value = port_in(port, size);
        memcpy(memory, &value, size);
    }
}

#define REGISTER(name, place)                                                                      \
    WEAK u64 read_##name(void)                                                                     \
    {                                                                                              \
        return fake_cpu.place;                                                                     \
    }                                                                                              \
    WEAK void write_##name(u64 value)                                                              \
    {                                                                                              \
        fake_cpu.place = value;                                                                    \
    }
REGISTER(cr0, cr0)
REGISTER(cr2, cr2)
REGISTER(cr8, cr8)
REGISTER(dr0, dr[0])
REGISTER(dr1, dr[1])
REGISTER(dr2, dr[2])
REGISTER(dr3, dr[3])
REGISTER(dr6, dr[6])

WEAK u32 rdpkru(void)
{
    return fake_cpu.pkru;
}

WEAK bool rdrand(u64 *value)
{
    *value = fake_cpu.random_ready ? fake_cpu.random : 0;
    return fake_cpu.random_ready;
}

WEAK bool rdseed(u64 *value)
{
    *value = fake_cpu.random_ready ? 0x1111111111111111 : 0;
    return fake_cpu.random_ready;
}
