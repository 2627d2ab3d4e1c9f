#include "kernel/apic.h"
#include "x86/instructions.h"
#include "x86/msr.h"

#define APIC_BASE 0xFEE00000ull

enum apic_register {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_EOI = 0xB0,
    APIC_SPURIOUS = 0xF0,
    APIC_IN_SERVICE = 0x100,
    APIC_REQUESTED = 0x200,
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_DIVIDE = 0x3E0,
};

#define SPURIOUS_APIC_ENABLE 0x100
#define LVT_MASKED 0x10000
#define LVT_EXTINT 0x700
#define LVT_TSC_DEADLINE 0x40000
#define ICR_NMI 0x400
#define ICR_PENDING 0x1000
#define ICR_ASSERT 0x4000
#define ICR_SELF 0x40000
#define DIVIDE_BY_1 0xB

enum pic_port {
    PIC_MASTER = 0x20,
    PIC_MASTER_DATA = 0x21,
    PIC_SLAVE = 0xA0,
    PIC_SLAVE_DATA = 0xA1
};
#define PIC_INIT 0x11
#define PIC_8086 0x01
#define PIC_EOI 0x20
#define PIC_ONLY_IRQ0 0xFE
#define PIC_ALL_MASKED 0xFF

#define PIT_CHANNEL_0 0x40
#define PIT_CHANNEL_2 0x42
#define PIT_MODE 0x43
#define PIT_ONE_SHOT 0x30   /* channel 0, low then high byte, mode 0 */
#define PIT_ONE_SHOT_2 0xB0 /* the same of channel 2 */
#define PORT_B 0x61
#define PORT_B_GATE_2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT_2 0x20

static bool in_x2apic;

void apic_use_x2apic(void)
{
    wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | APIC_BASE_X2APIC);
    in_x2apic = true;
}

static void apic_write(enum apic_register offset, u32 value)
{
    if (in_x2apic)
        wrmsr(X2APIC_FIRST + offset / 16, value);
    else
        *(volatile u32 *)(APIC_BASE + offset) = value;
}

static u32 apic_read(enum apic_register offset)
{
    if (in_x2apic)
        return (u32)rdmsr(X2APIC_FIRST + offset / 16);
    return *(volatile u32 *)(APIC_BASE + offset);
}

void apic_init(void)
{
    apic_write(APIC_SPURIOUS, SPURIOUS_APIC_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_timer_stop();
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_timer_start(u32 ticks)
{
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    apic_write(APIC_TIMER_COUNT, ticks);
}

void apic_timer_deadline_mode(void)
{
    apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
}

void apic_timer_stop(void)
{
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_COUNT, 0);
}

static void send(u32 destination, u32 command)
{
    if (in_x2apic) {
        wrmsr(X2APIC_ICR, (u64)destination << 32 | command);
        return;
    }
    apic_write(APIC_ICR_HIGH, destination);
    apic_write(APIC_ICR_LOW, command);
    while (apic_read(APIC_ICR_LOW) & ICR_PENDING)
        ;
}

void apic_self_ipi(u32 vector)
{
    send(0, ICR_SELF | ICR_ASSERT | vector);
}

void apic_self_nmi(void)
{
    send(apic_read(APIC_ID),
         ICR_NMI | ICR_ASSERT); /* the shorthand 'self' is for fixed ones only */
}

u32 apic_prepare_self_nmi(u64 *address)
{
    apic_write(APIC_ICR_HIGH, apic_read(APIC_ID));
    *address = APIC_BASE + APIC_ICR_LOW;
    return ICR_NMI | ICR_ASSERT;
}

/* A bit for each vector, in eight registers. */
static bool vector_bit(enum apic_register first, u32 vector)
{
    return apic_read(first + vector / 32 * 0x10) >> vector % 32 & 1;
}

bool apic_in_service(u32 vector)
{
    return vector_bit(APIC_IN_SERVICE, vector);
}

bool apic_requested(u32 vector)
{
    return vector_bit(APIC_REQUESTED, vector);
}

static void pic_start(u8 mask)
{
    outb(PIC_MASTER, PIC_INIT);
    outb(PIC_SLAVE, PIC_INIT);
    outb(PIC_MASTER_DATA, VECTOR_PIT);
    outb(PIC_SLAVE_DATA, VECTOR_PIT + 8);
    outb(PIC_MASTER_DATA, 1 << 2); /* the slave is at IRQ 2 */
    outb(PIC_SLAVE_DATA, 2);
    outb(PIC_MASTER_DATA, PIC_8086);
    outb(PIC_SLAVE_DATA, PIC_8086);
    outb(PIC_MASTER_DATA, mask);
    outb(PIC_SLAVE_DATA, PIC_ALL_MASKED);
}

void pit_start(u16 ticks)
{
    apic_write(APIC_LVT_LINT0, LVT_EXTINT);
    outb(PIT_MODE, PIT_ONE_SHOT);
    pic_start(PIC_ONLY_IRQ0);
    outb(PIT_CHANNEL_0, (u8)ticks);
    outb(PIT_CHANNEL_0, (u8)(ticks >> 8));
}

void pit_stop(void)
{
    outb(PIC_MASTER_DATA, PIC_ALL_MASKED);
}

void pit_count(u16 ticks)
{
    outb(PORT_B, (inb(PORT_B) & (u8)~PORT_B_SPEAKER) | PORT_B_GATE_2);
    outb(PIT_MODE, PIT_ONE_SHOT_2);
    outb(PIT_CHANNEL_2, (u8)ticks);
    outb(PIT_CHANNEL_2, (u8)(ticks >> 8));
}

bool pit_has_counted(void)
{
    return inb(PORT_B) & PORT_B_OUT_2;
}

void pic_eoi(void)
{
    outb(PIC_MASTER, PIC_EOI);
}
