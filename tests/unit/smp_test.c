// Starting the other CPUs: those that come, one that does not, and those beyond the limit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "smp/smp.h"
#include "lib/print.h"
#include "host/frames.h"
#include "host/paging.h"
#include "platform/acpi.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "x86/instructions.h"

#define PAGE 0x5000

/* In place of hv/smp/ap.asm. */
__asm__(".data\n"
        ".globl ap_start, ap_cr3, ap_end\n"
        "ap_start: .long 0xC0DE\n"
        "ap_cr3: .long 0\n"
        "ap_end:\n"
        ".text\n");
extern struct cpu *ap_mailbox;

unsigned cpu_count, vcpu_count;
#define MANY 300
static struct cpu *list[MANY];
struct cpu **cpus = list;
static struct cpu blocks[MANY];
static u8 page[PAGE_SIZE];
static u32 deaf;              /* the CPU with this APIC id hears no SIPI */
static unsigned needs, heard; /* SIPIs that each other one needs; has had since its INIT */
static u32 hidden;            /* a bit for each APIC id */
static u32 unreachable = ~0u; /* by an IPI */
static jmp_buf refused;

static char captured[256];
static size_t captured_length;

static void capture(char c)
{
    assert_true(captured_length + 1 < sizeof(captured));
    captured[captured_length++] = c;
    captured[captured_length] = '\0';
}

void *physical(u64 address)
{
    assert_int_equal(address, PAGE);
    return page;
}

struct cpu *cpu_allocate(u32 apic_id)
{
    struct cpu *cpu = &blocks[cpu_count];
    cpu->vcpu.apic_id = apic_id;
    cpus[cpu_count++] = cpu;
    return cpu;
}

u32 apic_id(void)
{
    return 0;
}

bool apic_reaches(u32 id)
{
    return id != unreachable;
}

void fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprint(format, arguments);
    va_end(arguments);
    longjmp(refused, 1);
}

void apic_send(u32 id, u32 command)
{
    if (command == SEND_INIT) {
        assert_int_not_equal(id, 0);
        heard = 0;
        return;
    }
    assert_int_equal(command, SEND_SIPI(PAGE / PAGE_SIZE));
    assert_int_equal(*(u32 *)page, 0xC0DE);
    if (id != deaf && ++heard == needs)
        ap_mailbox = NULL; /* it comes and takes its block */
}

void acpi_hide_cpu(u32 id)
{
    hidden |= 1u << id;
}

void mp_table_hide_cpu(u32 id)
{
    assert_true(hidden & 1u << id);
}

void tsc_wait_us(u32 microseconds)
{
    (void)microseconds;
}

u64 tables_with_low_memory(void)
{
    return 0x1000;
}

u64 own_cr3 = 0x2000;

void write_cr3(u64 value)
{
    (void)value;
}

void cpu_load_tables(struct cpu *cpu)
{
    (void)cpu;
}

static void enter(struct cpu *cpu)
{
    (void)cpu;
}

static void start(unsigned limit)
{
    static const u32 ids[] = {1, 0, 2, 3}; /* the boot CPU need not be the first */
    print_sink = capture;
    captured[captured_length = 0] = '\0';
    memset(page, 0xAA, sizeof(page));
    cpu_count = 1;
    hidden = 0;
    start_other_cpus(ids, ARRAY_SIZE(ids), limit, PAGE, enter);
    for (unsigned i = 0; i < sizeof(page); i++)
        assert_int_equal(page[i], 0xAA); /* the guest's again */
}

static void all_come(void **state)
{
    (void)state;
    deaf = ~0u;
    for (needs = 1; needs <= 2; needs++) {
        start(~0u);
        assert_int_equal(cpu_count, 4);
        assert_int_equal(vcpu_count, 4);
        assert_int_equal(hidden, 0);
        assert_string_equal(captured, "");
    }
}

static void one_does_not_come(void **state)
{
    (void)state;
    deaf = 2;
    needs = 1;
    start(~0u);
    assert_int_equal(vcpu_count, 3);
    assert_int_equal(cpus[1]->vcpu.apic_id, 1);
    assert_int_equal(cpus[2]->vcpu.apic_id, 3);
    assert_int_equal(hidden, 1 << 2);
    assert_null(ap_mailbox); /* should it come late, it finds no block */
    assert_string_equal(captured,
                        "tally: the CPU with APIC id 2 does not start; going on without it\n");
}

static void beyond_the_limit(void **state)
{
    (void)state;
    deaf = ~0u;
    needs = 1;
    start(2);
    assert_int_equal(cpu_count, 4); /* they are taken over all the same */
    assert_int_equal(vcpu_count, 2);
    assert_int_equal(hidden, 1 << 2 | 1 << 3);
}

static void there_may_be_more_than_an_xapic_can_name(void **state)
{
    (void)state;
    u32 ids[MANY];
    for (u32 i = 0; i < MANY; i++)
        ids[i] = i;
    deaf = ~0u;
    needs = cpu_count = 1;
    start_other_cpus(ids, MANY, MANY, PAGE, enter);
    assert_int_equal(vcpu_count, MANY);
    assert_int_equal(cpus[MANY - 1]->vcpu.apic_id, MANY - 1);
}

static void what_cannot_be_taken_over_is_refused(void **state)
{
    static const u32 id = 300;
    (void)state;
    unreachable = id;
    print_sink = capture;
    captured[captured_length = 0] = '\0';
    cpu_count = 1;
    if (!setjmp(refused)) {
        start_other_cpus(&id, 1, 1, PAGE, enter); /* whatever the limit */
        fail_msg("it went on");
    }
    assert_non_null(strstr(captured, "APIC id 300 cannot be reached"));
    unreachable = ~0u;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come),
        cmocka_unit_test(one_does_not_come),
        cmocka_unit_test(beyond_the_limit),
        cmocka_unit_test(there_may_be_more_than_an_xapic_can_name),
        cmocka_unit_test(what_cannot_be_taken_over_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
