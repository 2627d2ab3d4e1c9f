#include "kernel/smp_apic.h"
#include "kernel/apic.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define CPUID_1_ECX_X2APIC BIT(21)
#define XAPIC 0xFEE00000ull
#define SPURIOUS_ENABLE 0x100
#define ICR_BUSY 0x1000
#define ICR_ALL_OTHERS 0xC0000

enum apic_register {
    ID = 0x20,
    TPR = 0x80,
    EOI = 0xB0,
    SPURIOUS = 0xF0,
    ICR = 0x300,
    ICR_HIGH = 0x310
};

static bool in_x2apic(void)
{
    return rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile u32 *xapic(enum apic_register offset)
{
    return (volatile u32 *)(XAPIC + offset);
}

static u32 read(enum apic_register offset)
{
    return in_x2apic() ? (u32)rdmsr(X2APIC_FIRST + offset / 16) : *xapic(offset);
}

static void write(enum apic_register offset, u32 value)
{
    if (in_x2apic())
        wrmsr(X2APIC_FIRST + offset / 16, value);
    else
        *xapic(offset) = value;
}

bool apic_has_x2apic(void)
{
    return cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC;
}

void apic_enter_x2apic(void)
{
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_X2APIC);
}

void apic_enable(void)
{
    write(SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    write(TPR, 0);
}

u32 apic_own_id(void)
{
    return in_x2apic() ? read(ID) : read(ID) >> 24;
}

void apic_send(u32 destination, u32 command)
{
    u32 shorthand = destination == APIC_ALL_OTHERS ? ICR_ALL_OTHERS : 0;

    command |= shorthand | ICR_FIXED;
    if (shorthand)
        destination = 0;
    if (in_x2apic()) {
        wrmsr(X2APIC_ICR, (u64)destination << 32 | command);
        return;
    }
    *xapic(ICR_HIGH) = destination << 24;
    *xapic(ICR) = command;
    while (*xapic(ICR) & ICR_BUSY)
        ;
}

void apic_end_of_interrupt(void)
{
    write(EOI, 0);
}
