#include "platform/tsc.h"
#include "x86/instructions.h"

#define PIT_HZ 1193182u
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_2_ONE_SHOT 0xB0 /* low and high byte, mode 0 */
#define PORT_B 0x61
#define PORT_B_GATE_2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT_2 0x20

#define MEASURE_MS 10
#define GIVE_UP BIT(30) /* ticks: longer than that at any rate */

u32 tsc_khz;

static bool has_ended(void)
{
    return inb(PORT_B) & PORT_B_OUT_2;
}

/* 0 where the timer never ends or never runs: newer chipsets can have its clock off, which leaves
 * the output low or high. Port 0x61 is left as it was. */
static u32 measure_by_pit(void)
{
    u16 count = PIT_HZ * MEASURE_MS / 1000;
    u8 port_b = inb(PORT_B);
    outb(PORT_B, (port_b & (u8)~PORT_B_SPEAKER) | PORT_B_GATE_2);
    outb(PIT_COMMAND, PIT_CHANNEL_2_ONE_SHOT);
    outb(PIT_CHANNEL_2, (u8)count);
    outb(PIT_CHANNEL_2, (u8)(count >> 8));
    u64 start = rdtsc(), ticks = 0;
    bool ran = !has_ended(), ended = false;
    while (ran && !ended && ticks < GIVE_UP) {
        ended = has_ended();
        ticks = rdtsc() - start;
    }
    outb(PORT_B, port_b);
    return ended ? (u32)(ticks / MEASURE_MS) : 0;
}

/* SDM vol. 2, CPUID leaves 15H and 16H. */
static u32 ask_cpuid(void)
{
    u32 last = cpuid(0, 0).eax;
    if (last >= 0x15) {
        struct cpuid_result r = cpuid(0x15, 0);
        if (r.eax && r.ebx && r.ecx)
            return (u32)((u64)r.ecx * r.ebx / r.eax / 1000);
    }
    return last >= 0x16 ? (cpuid(0x16, 0).eax & 0xFFFF) * 1000 : 0;
}

void tsc_init(void)
{
    tsc_khz = measure_by_pit();
    if (!tsc_khz) /* or this CPU stood still for so long, below another hypervisor */
        tsc_khz = measure_by_pit();
    if (!tsc_khz)
        tsc_khz = ask_cpuid();
}

void tsc_wait_us(u32 microseconds)
{
    u64 ticks =
        (u64)microseconds * (tsc_khz ? tsc_khz : 4000000) / 1000; /* unknown: longer rather */
    for (u64 start = rdtsc(); rdtsc() - start < ticks;)
        pause();
}
