#include "platform/apic.h"
#include "host/paging.h"
#include "lib/safe.h"
#include "x86/instructions.h"
#include "x86/msr.h"

/* Offsets in the xAPIC page; x2APIC MSRs are numbered alike. SDM vol. 3, 'Local APIC'. */
enum apic_register {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_EOI = 0xB0,
    APIC_LDR = 0xD0,
    APIC_DFR = 0xE0,
    APIC_SPURIOUS = 0xF0,
    APIC_ISR = 0x100, /* 8 of them, 0x10 apart */
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_CMCI = 0x2F0,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERFORMANCE = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_INITIAL_COUNT = 0x380,
};

#define ICR_BUSY BIT(12)
#define XAPIC_BROADCAST 0xFF
#define LVT_MASKED BIT(16)

static bool x2apic_mode(void)
{
    return rdmsr(IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

static volatile u32 *xapic_register(u32 offset)
{
    u64 page = rdmsr(IA32_APIC_BASE) & 0xFFFFFF000ull;
    return physical(page + offset);
}

static u32 apic_read(enum apic_register offset)
{
    return x2apic_mode() ? (u32)rdmsr(X2APIC_FIRST + offset / 16) : *xapic_register(offset);
}

static void apic_write(enum apic_register offset, u32 value)
{
    if (x2apic_mode())
        wrmsr_safe(X2APIC_FIRST + offset / 16, value); /* a hypervisor below may lack some */
    else
        *xapic_register(offset) = value;
}

u32 apic_id(void)
{
    u32 id = apic_read(APIC_ID);
    return x2apic_mode() ? id : id >> 24;
}

bool apic_reaches(u32 id)
{
    return x2apic_mode() || id < XAPIC_BROADCAST;
}

static void wait_until_sent(void)
{
    for (unsigned i = 0; i < 100000 && (*xapic_register(APIC_ICR_LOW) & ICR_BUSY); i++)
        pause();
}

/* The guest may be between its writes to the two halves: the high one is put back. */
void apic_send(u32 destination, u32 command)
{
    if (x2apic_mode()) {
        wrmsr(X2APIC_ICR, (u64)destination << 32 | command);
        return;
    }
    u32 high = *xapic_register(APIC_ICR_HIGH);
    wait_until_sent(); /* what the guest began */
    *xapic_register(APIC_ICR_HIGH) = destination << 24;
    *xapic_register(APIC_ICR_LOW) = command;
    wait_until_sent();
    *xapic_register(APIC_ICR_HIGH) = high;
}

/* A CPU has as many of them as its version says, in this order: one more is #GP in x2APIC mode.
 * SDM vol. 3, 'Local APIC Version Register' and figure 'Local Vector Table (LVT)'. */
static void mask_local_vectors(void)
{
    static const u16 lvt[] = {APIC_LVT_TIMER, APIC_LVT_LINT0,       APIC_LVT_LINT1,
                              APIC_LVT_ERROR, APIC_LVT_PERFORMANCE, APIC_LVT_THERMAL,
                              APIC_LVT_CMCI};
    u32 last = apic_read(APIC_VERSION) >> 16 & 0xFF;
    for (u32 i = 0; i <= last && i < ARRAY_SIZE(lvt); i++)
        apic_write(lvt[i], LVT_MASKED);
}

/* SDM vol. 3, 'Local APIC State After Power-Up or Reset' and 'After an INIT Reset'. */
void apic_reset(void)
{
    if (!(rdmsr(IA32_APIC_BASE) & APIC_BASE_ENABLE))
        return;
    for (u32 word = 0; word < 8; word++)
        for (u32 in_service = apic_read(APIC_ISR + word * 0x10); in_service;
             in_service &= in_service - 1)
            apic_write(APIC_EOI, 0);
    apic_write(APIC_INITIAL_COUNT, 0);
    mask_local_vectors();
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, 0xFF);
    if (!x2apic_mode()) {
        apic_write(APIC_LDR, 0);
        apic_write(APIC_DFR, ~0u);
    }
}

u32 apic_last_command(void)
{
    return apic_read(APIC_ICR_LOW);
}
