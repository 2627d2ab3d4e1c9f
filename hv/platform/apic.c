#include "platform/apic.h"
#include "mm/paging.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* Register offsets of the xAPIC page. SDM vol. 3, 'Local APIC'. */
#define XAPIC_ID 0x20
#define XAPIC_ICR_LOW 0x300
#define XAPIC_ICR_HIGH 0x310

#define ICR_NMI 0x00004400
#define ICR_INIT 0x00004500
#define ICR_STARTUP 0x00004600
#define ICR_BUSY BIT(12)

static bool is_x2apic(void)
{
    return rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile u32 *xapic(u32 offset)
{
    u64 page = rdmsr(IA32_APIC_BASE) & 0xFFFFFF000ull;
    return physical(page + offset);
}

u32 apic_id(void)
{
    return is_x2apic() ? (u32)rdmsr(X2APIC_ID) : *xapic(XAPIC_ID) >> 24;
}

/* The guest may be between its writes to the two halves: the high one is put back. */
static void send(u32 destination, u32 command)
{
    if (is_x2apic()) {
        wrmsr(X2APIC_ICR, (u64)destination << 32 | command);
        return;
    }
    u32 high = *xapic(XAPIC_ICR_HIGH);
    *xapic(XAPIC_ICR_HIGH) = destination << 24;
    *xapic(XAPIC_ICR_LOW) = command;
    for (unsigned i = 0; i < 100000 && (*xapic(XAPIC_ICR_LOW) & ICR_BUSY); i++)
        pause();
    *xapic(XAPIC_ICR_HIGH) = high;
}

void apic_send_nmi(u32 destination)
{
    send(destination, ICR_NMI);
}

void apic_send_init(u32 destination)
{
    send(destination, ICR_INIT);
}

void apic_send_sipi(u32 destination, u8 page)
{
    send(destination, ICR_STARTUP | page);
}
