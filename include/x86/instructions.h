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

/* Host tests bring their own of what only an operating system may execute. */
u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
u64 read_cr0(void);
u64 read_cr3(void);
u64 read_cr4(void);
void write_cr0(u64 value);
void write_cr3(u64 value);
void write_cr4(u64 value);
u8 inb(u16 port);
u32 inl(u16 port);
void outb(u16 port, u8 value);
void outw(u16 port, u16 value);
void outl(u16 port, u32 value);
void cli(void);
void hlt(void);
void invlpg(u64 address);
void wbinvd(void);

#else

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

#define DEFINE_CONTROL_REGISTER(cr)                                                                \
    static inline u64 read_##cr(void)                                                              \
    {                                                                                              \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%" #cr ", %0" : "=r"(value));                                       \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##cr(u64 value)                                                       \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #cr : : "r"(value) : "memory");                              \
    }
DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)
DEFINE_CONTROL_REGISTER(cr8)
DEFINE_CONTROL_REGISTER(dr0)
DEFINE_CONTROL_REGISTER(dr1)
DEFINE_CONTROL_REGISTER(dr2)
DEFINE_CONTROL_REGISTER(dr3)
DEFINE_CONTROL_REGISTER(dr6)
DEFINE_CONTROL_REGISTER(dr7)
#undef DEFINE_CONTROL_REGISTER

#define DEFINE_PORT(suffix, type)                                                                  \
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
DEFINE_PORT(b, u8)
DEFINE_PORT(w, u16)
DEFINE_PORT(l, u32)
#undef DEFINE_PORT

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void hlt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
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

/* XCR0, which faults for what the CPU has not got. */
static inline void xsetbv(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)));
}

static inline u64 xgetbv(void)
{
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (u64)high << 32 | low;
}

#endif

#endif
