#include "smp/smp.h"
#include "lib/fatal.h"
#include "lib/print.h"
#include "lib/string.h"
#include "host/frames.h"
#include "host/paging.h"
#include "platform/acpi.h"
#include "platform/apic.h"
#include "platform/mp_table.h"
#include "platform/tsc.h"
#include "x86/instructions.h"

/* SDM vol. 3, 'Typical BSP Initialization Sequence'. */
#define AFTER_INIT_US 10000
#define AFTER_SIPI_US 200
#define WAIT_US 200000 /* for a CPU to come */

/* In ap.asm: the code for the real-mode page, and the places in it to fill in. */
extern char ap_start[], ap_end[];
extern u32 ap_gdt, ap_to_32, ap_to_64, ap_page, ap_cr3;
extern const u16 ap_offset_32, ap_offset_64, ap_offset_gdt;

struct cpu *ap_mailbox; /* the block for the CPU that comes next */
void ap_main(struct cpu *cpu);

static void (*enter_guest)(struct cpu *cpu);
static u64 start_page, start_cr3; /* the real-mode page, and the tables that map it */
static struct cpu *released;      /* may go on: no SIPI of Tally's can reach its vCPU any more */

static struct cpu *ready; /* the last CPU that was */

void cpu_is_ready(struct cpu *cpu)
{
    __atomic_store_n(&ready, cpu, __ATOMIC_SEQ_CST);
}

/* What is wrong with it should be said before the guest speaks. */
static void wait_until_ready(const struct cpu *cpu)
{
    for (u32 waited = 0; waited < WAIT_US; waited += 10) {
        if (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) == cpu)
            return;
        tsc_wait_us(10);
    }
}

/* First C code of another CPU, on its own stack. */
void ap_main(struct cpu *cpu)
{
    cpu_load_tables(cpu);
    while (__atomic_load_n(&released, __ATOMIC_SEQ_CST) != cpu)
        pause();
    write_cr3(own_cr3()); /* away from the tables that map the real-mode page */
    enter_guest(cpu);
}

static void patch(u8 *code, const u32 *place, u32 value)
{
    memcpy(code + ((const char *)place - ap_start), &value, sizeof(value));
}

/* What the guest has in the page meanwhile. */
static u8 saved[PAGE_SIZE];

static void place_code(void)
{
    u64 page = start_page;
    u8 *code = physical(page);
    memcpy(saved, code, PAGE_SIZE);
    memcpy(code, ap_start, (size_t)(ap_end - ap_start));
    patch(code, &ap_gdt, (u32)page + ap_offset_gdt);
    patch(code, &ap_to_32, (u32)page + ap_offset_32);
    patch(code, &ap_to_64, (u32)page + ap_offset_64);
    patch(code, &ap_page, (u32)page);
    patch(code, &ap_cr3, (u32)start_cr3);
}

static void remove_code(void)
{
    memcpy(physical(start_page), saved, PAGE_SIZE);
}

/* Whether the CPU that comes next has taken its block, waiting for it at most so long. */
static bool came_within(u32 microseconds)
{
    for (u32 waited = 0; waited < microseconds; waited += 10) {
        if (!__atomic_load_n(&ap_mailbox, __ATOMIC_SEQ_CST))
            return true;
        tsc_wait_us(10);
    }
    return false;
}

static void send_sipi(u32 id)
{
    apic_send_sipi(id, (u8)(start_page / PAGE_SIZE));
}

static bool start(u32 id)
{
    struct cpu *cpu = cpu_allocate(id);
    __atomic_store_n(&ap_mailbox, cpu, __ATOMIC_SEQ_CST);
    apic_send_init(id);
    tsc_wait_us(AFTER_INIT_US);
    send_sipi(id);
    if (!came_within(AFTER_SIPI_US))
        send_sipi(id);
    if (came_within(WAIT_US) || !__atomic_exchange_n(&ap_mailbox, NULL, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&released, cpu, __ATOMIC_SEQ_CST);
        wait_until_ready(cpu);
        return true;
    }
    say("the CPU with APIC id %u does not start; going on without it", id);
    cpu_count--; /* the block stays unused */
    return false;
}

/* The guest could start a CPU that Tally cannot take over. */
static void check_reach(u32 id)
{
    if (cpu_count == CPUS_MAX)
        fatal("more than %u CPUs; switch off Hyper-Threading or some cores in the firmware",
              CPUS_MAX);
    if (!apic_reaches(id))
        fatal("the CPU with APIC id %u cannot be reached; switch on x2APIC in the firmware", id);
}

void start_other_cpus(const u32 *apic_ids, unsigned count, unsigned limit, u64 page,
                      void (*enter)(struct cpu *cpu))
{
    enter_guest = enter;
    start_page = page;
    start_cr3 = tables_with_low_memory();
    place_code();
    u32 self = apic_id();
    for (unsigned i = 0; i < count; i++) {
        if (apic_ids[i] == self)
            continue;
        check_reach(apic_ids[i]);
        if (!start(apic_ids[i]) || cpu_count > limit) {
            acpi_hide_cpu(apic_ids[i]);
            mp_table_hide_cpu(apic_ids[i]);
        }
    }
    vcpu_count = cpu_count < limit ? cpu_count : limit;
    remove_code();
}

void start_again(struct cpu *cpu, void (*enter)(struct cpu *cpu))
{
    enter_guest = enter;
    released = NULL;
    place_code();
    __atomic_store_n(&ap_mailbox, cpu, __ATOMIC_SEQ_CST);
    do
        send_sipi(cpu->vcpu.apic_id); /* one that still runs takes no notice */
    while (!came_within(AFTER_SIPI_US));
    __atomic_store_n(&released, cpu, __ATOMIC_SEQ_CST);
    remove_code();
}

void wait_for_start_again(void)
{
    while (!__atomic_load_n(&ap_mailbox, __ATOMIC_SEQ_CST))
        pause();
}

void cancel_start_again(void)
{
    __atomic_store_n(&ap_mailbox, NULL, __ATOMIC_SEQ_CST);
}
