/*
 * How another CPU starts, one after the other:
 *
 *   the boot CPU                             the CPU that comes
 *   ---------------------------------------  ------------------------------------------------------
 *   puts ap.asm into the real-mode page
 *   puts the CPU's block into `ap_mailbox`
 *   INIT, SIPI, and a second SIPI if the
 *   mailbox is full 200 us later             ap.asm: from real to 64-bit mode; takes the block out
 *                                            of the mailbox: it is the owner now, with a stack
 *   mailbox empty: no SIPI will follow;
 *   says so in `released`                    leaves the tables that map the page; VMX;
 *                                            cpu_is_ready()
 *   waits until it is ready                  enters its vCPU, which waits for the guest's SIPI
 *   or takes the block back: it will not
 *   start; should it come late, it finds
 *   the mailbox empty and halts
 */
#include "smp/smp.h"
#include "lib/print.h"
#include "lib/string.h"
#include "host/paging.h"
#include "platform/acpi.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "x86/instructions.h"
#include "lib/atomic.h"

/* SDM vol. 3, 'Typical BSP Initialization Sequence'. */
#define AFTER_INIT_US 10000
#define AFTER_SIPI_US 200
#define WAIT_US 200000 /* for a CPU to come */

/* In ap.asm: the code for the real-mode page, and the place in it for CR3. */
extern const char ap_start[], ap_end[], ap_cr3[];

struct cpu *ap_mailbox; /* the block for the CPU that comes next */
void ap_main(struct cpu *cpu);

static void (*enter_guest)(struct cpu *cpu);
static u64 start_page;       /* the real-mode page */
static u32 start_cr3;        /* the tables that map it */
static struct cpu *released; /* may go on: no SIPI of Tally's can reach its vCPU any more */

static struct cpu *ready; /* the last CPU that was */

void cpu_is_ready(struct cpu *cpu)
{
    atomic_store(&ready, cpu);
}

/* Whether one of the two above names `cpu` within so many microseconds. */
static bool becomes(struct cpu **word, const struct cpu *cpu, u32 microseconds)
{
    for (u32 waited = 0; waited < microseconds; waited += 10) {
        if (atomic_load(word) == cpu)
            return true;
        tsc_wait_us(10);
    }
    return false;
}

/* First C code of another CPU, on its own stack. */
void ap_main(struct cpu *cpu)
{
    cpu_load_tables(cpu);
    while (atomic_load(&released) != cpu)
        pause();
    write_cr3(own_cr3); /* away from the tables that map the real-mode page */
    enter_guest(cpu);
}

/* What the guest has in the page meanwhile. */
static u8 saved_page[PAGE_SIZE];

static void place_code(void)
{
    u8 *code = physical(start_page);
    memcpy(saved_page, code, PAGE_SIZE);
    memcpy(code, ap_start, (size_t)(ap_end - ap_start));
    memcpy(code + (ap_cr3 - ap_start), &start_cr3, sizeof(start_cr3));
}

static void remove_code(void)
{
    memcpy(physical(start_page), saved_page, PAGE_SIZE);
}

static bool start_cpu(u32 id)
{
    struct cpu *cpu = cpu_allocate(id);
    u32 sipi = SEND_SIPI((u32)(start_page / PAGE_SIZE));
    atomic_store(&ap_mailbox, cpu);
    apic_send(id, SEND_INIT);
    tsc_wait_us(AFTER_INIT_US);
    apic_send(id, sipi);
    if (!becomes(&ap_mailbox, NULL, AFTER_SIPI_US))
        apic_send(id, sipi);
    if (becomes(&ap_mailbox, NULL, WAIT_US) || !atomic_exchange(&ap_mailbox, NULL)) {
        atomic_store(&released, cpu);
        becomes(&ready, cpu, WAIT_US); /* what is wrong with it is said before the guest speaks */
        return true;
    }
    say("the CPU with APIC id %u does not start; going on without it", id);
    cpu_count--; /* the block stays unused */
    return false;
}

/* The guest could start a CPU that Tally cannot take over. */
static void check_reach(u32 id)
{
    if (!apic_reaches(id))
        fatal("the CPU with APIC id %u cannot be reached; switch on x2APIC in the firmware", id);
}

void keep_start_page(u64 page)
{
    start_page = page;
    start_cr3 = (u32)tables_with_low_memory();
}

void start_other_cpus(const u32 *apic_ids, unsigned count, unsigned limit, u64 page,
                      void (*enter)(struct cpu *cpu))
{
    enter_guest = enter;
    keep_start_page(page);
    place_code();
    u32 self = apic_id();
    for (unsigned i = 0; i < count; i++) {
        if (apic_ids[i] == self)
            continue;
        check_reach(apic_ids[i]);
        if (!start_cpu(apic_ids[i]) || cpu_count > limit) {
            acpi_hide_cpu(apic_ids[i]);
            mp_table_hide_cpu(apic_ids[i]);
        }
    }
    vcpu_count = cpu_count < limit ? cpu_count : limit;
    remove_code();
}

u8 lend_start_page(struct cpu *cpu, void (*enter)(struct cpu *cpu))
{
    enter_guest = enter;
    place_code();
    atomic_store(&released, cpu);
    atomic_store(&ap_mailbox, cpu);
    return (u8)(start_page / PAGE_SIZE);
}

void give_start_page_back(void)
{
    atomic_store(&ap_mailbox, NULL);
    remove_code();
}
