/*
 * The guest's state that no VMCS field holds: it stays in the CPU while Tally runs.
 * Host tests bring their own functions.
 */
#ifndef TALLY_VMX_LIVE_STATE_H
#define TALLY_VMX_LIVE_STATE_H

#include "x86/instructions.h"
#include "x86/registers.h"

#ifdef TALLY_HOST

u32 port_in(u16 port, unsigned size);
void port_out(u16 port, unsigned size, u32 value);
static inline void port_in_string(u16 port, unsigned size, u8 *memory, u64 count)
{
    for (; count; count--, memory += size) {
        u32 value = port_in(port, size);
        __builtin_memcpy(memory, &value, size);
    }
}
void live_set_cr2(u64 value);
u64 live_cr8(void);
void live_set_cr8(u64 value);
void live_set_cache_bits(u64 cr0);
u64 live_debug_register(unsigned number);
void live_set_debug_register(unsigned number, u64 value);
u32 live_pkru(void);
bool live_random(bool seed, unsigned size, u64 *value);

#else

/* I/O ports by width: `size` is 1, 2 or 4 bytes. */
static inline u32 port_in(u16 port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

/* `count` elements side by side, as fast as the port gives them. */
static inline void port_in_string(u16 port, unsigned size, u8 *memory, u64 count)
{
    if (size == 1)
        __asm__ volatile("rep insb" : "+D"(memory), "+c"(count) : "d"(port) : "memory");
    else if (size == 2)
        __asm__ volatile("rep insw" : "+D"(memory), "+c"(count) : "d"(port) : "memory");
    else
        __asm__ volatile("rep insl" : "+D"(memory), "+c"(count) : "d"(port) : "memory");
}

static inline void port_out(u16 port, unsigned size, u32 value)
{
    if (size == 1)
        outb(port, (u8)value);
    else if (size == 2)
        outw(port, (u16)value);
    else
        outl(port, value);
}

static inline void live_set_cr2(u64 value)
{
    write_cr2(value);
}

static inline u64 live_cr8(void)
{
    return read_cr8();
}

static inline void live_set_cr8(u64 value)
{
    write_cr8(value);
}

/* VM entries and exits leave CD and NW alone (SDM vol. 3, 'Loading Guest Control Registers'). */
static inline void live_set_cache_bits(u64 cr0)
{
    u64 old = read_cr0();
    u64 wanted = (old & ~(CR0_CD | CR0_NW)) | (cr0 & (CR0_CD | CR0_NW));
    if (wanted != old)
        write_cr0(wanted);
}

/* DR0 to DR3 and DR6; DR7 is in the VMCS. */
static inline u64 live_debug_register(unsigned number)
{
    switch (number) {
    case 0: return read_dr0();
    case 1: return read_dr1();
    case 2: return read_dr2();
    case 3: return read_dr3();
    default: return read_dr6();
    }
}

static inline void live_set_debug_register(unsigned number, u64 value)
{
    switch (number) {
    case 0: write_dr0(value); break;
    case 1: write_dr1(value); break;
    case 2: write_dr2(value); break;
    case 3: write_dr3(value); break;
    default: write_dr6(value);
    }
}

/* For a guest with CR4.PKE: RDPKRU needs the bit in Tally's own CR4; its pages have no keys. */
static inline u32 live_pkru(void)
{
    u64 cr4 = read_cr4();
    u32 pkru;
    write_cr4(cr4 | CR4_PKE);
    __asm__ volatile("rdpkru" : "=a"(pkru) : "c"(0) : "edx");
    write_cr4(cr4);
    return pkru;
}

/* RDSEED or RDRAND with an operand of `size` bytes; what comes back is the carry flag. */
#define RANDOM(instruction, type)                                                                  \
    ({                                                                                             \
        type random_;                                                                              \
        __asm__ volatile(instruction " %0" : "=r"(random_), "=@ccc"(carry));                       \
        *value = random_;                                                                          \
    })

static inline bool live_random(bool seed, unsigned size, u64 *value)
{
    bool carry = false;
    if (size == 2)
        seed ? RANDOM("rdseed", u16) : RANDOM("rdrand", u16);
    else if (size == 4)
        seed ? RANDOM("rdseed", u32) : RANDOM("rdrand", u32);
    else
        seed ? RANDOM("rdseed", u64) : RANDOM("rdrand", u64);
    return carry;
}
#undef RANDOM

#endif

#endif
