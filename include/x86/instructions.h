/* Instructions that C has no words for; one function each, in alphabetical groups. */
#ifndef TALLY_X86_INSTRUCTIONS_H
#define TALLY_X86_INSTRUCTIONS_H

#include "types.h"

struct cpuid_result {
    u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid_result r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline u64 rdtsc(void)
{
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}

static inline void pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

struct descriptor_table_register {
    u16 limit;
    u64 base;
} __attribute__((packed));
_Static_assert(sizeof(struct descriptor_table_register) == 10, "operand of LGDT and SGDT");

#ifdef TALLY_HOST

/* Host tests bring their own of what only an operating system may execute, or knows no chance. */
#define REGISTER(name)                                                                             \
    u64 read_##name(void);                                                                         \
    void write_##name(u64 value);
#define PORT(suffix, type)                                                                         \
    type in##suffix(u16 port);                                                                     \
    void out##suffix(u16 port, type value);
#define PLAIN(name) void name(void);
#define RANDOM(name) bool name(u64 *value);

u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
u32 rdpkru(void);
void invlpg(u64 address);
void port_in_string(u16 port, unsigned size, u8 *memory, u64 count);

#else

#define REGISTER(name)                                                                             \
    static inline u64 read_##name(void)                                                            \
    {                                                                                              \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value));                                     \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(u64 value)                                                     \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }
#define PORT(suffix, type)                                                                         \
    static inline type in##suffix(u16 port)                                                        \
    {                                                                                              \
        type value;                                                                                \
        __asm__ volatile("in" #suffix " %w1, %0" : "=a"(value) : "Nd"(port));                      \
        return value;                                                                              \
    }                                                                                              \
    static inline void out##suffix(u16 port, type value)                                           \
    {                                                                                              \
        __asm__ volatile("out" #suffix " %0, %w1" : : "a"(value), "Nd"(port) : "memory");          \
    }
#define PLAIN(name)                                                                                \
    static inline void name(void)                                                                  \
    {                                                                                              \
        __asm__ volatile(#name : : : "memory");                                                    \
    }
/* What comes back is the carry flag: whether there was a number. */
#define RANDOM(name)                                                                               \
    static inline bool name(u64 *value)                                                            \
    {                                                                                              \
        bool carry;                                                                                \
        __asm__ volatile(#name " %0" : "=r"(*value), "=@ccc"(carry));                              \
        return carry;                                                                              \
    }

/* For MSRs that are known to exist; a fault in here stops Tally. See lib/safe.h for the others. */
static inline u64 rdmsr(u32 msr)
{
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* With CR4.PKE. */
static inline u32 rdpkru(void)
{
    u32 pkru;
    __asm__ volatile("rdpkru" : "=a"(pkru) : "c"(0) : "edx");
    return pkru;
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

static inline void invlpg(u64 address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void lgdt(const struct descriptor_table_register *r)
{
    __asm__ volatile("lgdt %0" : : "m"(*r));
}

static inline void lidt(const struct descriptor_table_register *r)
{
    __asm__ volatile("lidt %0" : : "m"(*r));
}

static inline void ltr(u16 selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector));
}

#endif

REGISTER(cr0)
REGISTER(cr2)
REGISTER(cr3)
REGISTER(cr4)
REGISTER(cr8)
REGISTER(dr0)
REGISTER(dr1)
REGISTER(dr2)
REGISTER(dr3)
REGISTER(dr6)
REGISTER(dr7)
#undef REGISTER

PORT(b, u8)
PORT(w, u16)
PORT(l, u32)
#undef PORT

PLAIN(cli)
PLAIN(sti)
PLAIN(hlt)
PLAIN(wbinvd)
#undef PLAIN

RANDOM(rdrand)
RANDOM(rdseed)
#undef RANDOM

/* I/O ports by width: `size` is 1, 2 or 4 bytes. */
static inline u32 port_in(u16 port, unsigned size)
{
    return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
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

#endif
