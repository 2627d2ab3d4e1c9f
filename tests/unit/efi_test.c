/* UEFI's boot services as Tally calls them, with a firmware of a few lines: the memory map, memory
 * for good, their end, and how the guest goes on. */
#include "host/cpu.h"
#include "efi/services.h"
#include "lib/print.h"
#include "platform/power.h"
#include "x86/msr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static u32 nx_bit;
#define cpuid(leaf, subleaf) ((struct cpuid_result){.edx = nx_bit})
#include "efi/boot.c"

#define FUNCTION(at) (0xF000 + (at))
#define HANDLE 77
#define ADDRESS (64 * MIB - 3 * PAGE_SIZE)
#define KEY 5
#define KEY_EVENT 55
#define CR3 0x7000
/* Of the MP services, behind the boot services' table. */
#define GET_NUMBER 1000
#define GET_INFO 1008
#define STARTUP_ALL 1016

static u64 efer, cr4, table[64], runtime[16], console[8], system_table[16];
static u64 allocated, freed[2][2], frees, exits, key, registered;
static u64 waits, leaves, cpus_on, cpus_that_come;
static const u64 mp_services[] = {FUNCTION(GET_NUMBER), FUNCTION(GET_INFO), FUNCTION(STARTUP_ALL)};
extern u32 efi_cpus_come;
void efi_ap_start(void);
static const struct found_state *goes_on;
static struct boot_info info;
static struct multiboot2_efi64 {
    struct multiboot2_tag tag;
    u64 address;
} system_tag, image_tag, map_tag[KIB / 16];

struct cpu boot_cpu;
void (*power_before_last_write)(void), (*power_leave)(void);

void cpu_load_tables(struct cpu *cpu)
{
    assert_ptr_equal(cpu, &boot_cpu);
}

void *physical(u64 address)
{
    return (void *)address;
}

u64 own_cr3 = CR3;

u32 apic_id(void)
{
    return 0;
}

unsigned cpu_count, vcpu_count;

struct cpu *cpu_allocate(u32 id)
{
    (void)id;
    cpu_count++;
    return NULL;
}

void efi_ap_start(void)
{
}

static void unheard(char c)
{
    (void)c;
}

u64 own_physical(const void *pointer)
{
    return (u64)pointer;
}

void image_is_at(u64 base)
{
    (void)base;
}

void found_state_take(struct found_state *to, u64 memory)
{
    assert_int_equal(memory, 0);
    *to = (struct found_state){.efer = efer};
}

u64 rdmsr(u32 msr)
{
    assert_int_equal(msr, IA32_EFER);
    return efer;
}

void wrmsr(u32 msr, u64 value)
{
    assert_int_equal(msr, IA32_EFER);
    assert_int_equal(nx_bit, BIT(20)); /* else #GP */
    efer = value;
}

u64 read_cr0(void)
{
    return 0;
}

void write_cr0(u64 value)
{
    assert_int_equal(value, CR0_WP);
}

u64 read_cr3(void)
{
    return 0;
}

u64 read_cr4(void)
{
    return cr4;
}

const char *copy_tag(struct boot_info *to, u32 type, const void *body, size_t size)
{
    assert_int_equal(type, MULTIBOOT2_TAG_EFI_MMAP);
    assert_true(size <= sizeof(map_tag) - sizeof(struct multiboot2_tag));
    memcpy(&map_tag[0].address, body, size);
    to->tag[type] = &map_tag[0].tag;
    return NULL;
}

const char *efi_load_option(u32 number, u64 *image)
{
    *image = 99;
    return number == 3 ? NULL : "not there";
}

void efi_go_on(void)
{
}

void efi_go_on_image(void)
{
}

void efi_mark_image(void)
{
}

void efi_mark_exit(void)
{
}

/* A page of each type. */
static void put_map(u64 *size, u8 *to)
{
    *size = 0;
    for (u32 type = 0; type < 16; type++) {
        const struct efi_memory_descriptor entry = {
            .type = type, .start = MIB * (type + 1), .pages = 1};
        memcpy(to + *size, &entry, sizeof(entry));
        *size += sizeof(entry) + 8; /* firmware's are larger than the specification's */
    }
}

u64 efi_enter(u64 function, const u64 a[8])
{
    switch (function - FUNCTION(0)) {
    case EFI_GET_MEMORY_MAP:
        put_map((u64 *)a[0], (u8 *)a[1]);
        *(u64 *)a[2] = ++key;
        *(u64 *)a[3] = sizeof(struct efi_memory_descriptor) + 8;
        return EFI_SUCCESS;
    case EFI_ALLOCATE_PAGES:
        assert_int_equal(a[0], 1);                        /* below the address */
        assert_int_equal(a[1], EFI_RESERVED_MEMORY_TYPE); /* else the next system takes it */
        assert_int_equal(*(u64 *)a[3], 4 * GIB - 1);
        *(u64 *)a[3] = ADDRESS;
        allocated = a[2];
        return allocated > 4096 ? EFI_NOT_FOUND : EFI_SUCCESS;
    case EFI_FREE_PAGES:
        assert_true(frees < 2);
        freed[frees][0] = a[0];
        freed[frees++][1] = a[1];
        return EFI_SUCCESS;
    case EFI_EXIT_BOOT_SERVICES:
        assert_int_equal(a[0], HANDLE);
        assert_int_equal(a[1], key);
        exits++;
        return key < KEY ? EFI_ERROR(2) : EFI_SUCCESS;
    case EFI_CREATE_EVENT: *(u64 *)a[4] = a[2]; return EFI_SUCCESS;
    case EFI_REGISTER_PROTOCOL_NOTIFY: registered++; return EFI_SUCCESS;
    case EFI_WAIT_FOR_EVENT:
        assert_int_equal(a[0], 1);
        assert_int_equal(*(u64 *)a[1], KEY_EVENT);
        waits++;
        return EFI_SUCCESS;
    case EFI_EXIT:
        assert_int_equal(a[0], HANDLE);
        assert_int_equal(a[1], BIT(63) | 14); /* the next option */
        assert_int_equal(waits, 1);           /* somebody has read what is wrong */
        leaves++;
        return EFI_SUCCESS;
    case EFI_LOCATE_PROTOCOL:
        *(u64 *)a[2] = (u64)mp_services;
        return cpus_on ? EFI_SUCCESS : EFI_NOT_FOUND;
    case GET_NUMBER:
        assert_int_equal(a[0], (u64)mp_services);
        *(u64 *)a[1] = cpus_on + 1; /* one is off */
        *(u64 *)a[2] = cpus_on;
        return EFI_SUCCESS;
    case STARTUP_ALL:
        assert_int_equal(a[0], (u64)mp_services);
        assert_int_equal(a[1], efi_code(efi_ap_start));
        assert_int_equal(a[2], true); /* one after the other: INIT finds none that is a guest */
        assert_int_equal(a[3], 0);    /* waits for them */
        assert_int_equal(a[5], CR3);
        efi_cpus_come += (u32)cpus_that_come;
        return EFI_SUCCESS;
    default: fail(); return 0;
    }
}

static int firmware(void **state)
{
    (void)state;
    nx_bit = BIT(20);
    efer = EFER_NXE;
    print_sink = unheard;
    waits = leaves = cpus_on = 0;
    console[2] = KEY_EVENT;
    cr4 = frees = exits = key = registered = 0;
    for (u64 i = 0; i < 64; i++)
        table[i] = FUNCTION(i);
    system_table[12] = (u64)table;
    system_table[11] = (u64)runtime;
    system_table[6] = (u64)console;
    system_tag.address = (u64)system_table;
    image_tag.address = HANDLE;
    memset(&info, 0, sizeof(info));
    info.tag[MULTIBOOT2_TAG_EFI64] = &system_tag.tag;
    info.tag[MULTIBOOT2_TAG_EFI64_IH] = &image_tag.tag;
    power_leave = NULL;
    return 0;
}

static void the_types_of_memory(void **state)
{
    (void)state;
    static const u32 expected[16] = {
        MEMORY_RESERVED, MEMORY_RAM,      MEMORY_RAM,      MEMORY_RAM,      MEMORY_RAM,
        MEMORY_RESERVED, MEMORY_RESERVED, MEMORY_RAM,      MEMORY_BAD,      MEMORY_ACPI_RECLAIMABLE,
        MEMORY_ACPI_NVS, MEMORY_RESERVED, MEMORY_RESERVED, MEMORY_RESERVED, MEMORY_RESERVED,
        MEMORY_RESERVED};
    assert_null(efi_init(&info));
    assert_ptr_equal(power_leave, efi_leave);
    assert_int_equal(info.map.count, 16);
    for (u32 type = 0; type < 16; type++) {
        assert_int_equal(info.map.range[type].base, MIB * (type + 1));
        assert_int_equal(info.map.range[type].size, PAGE_SIZE);
        assert_int_equal(info.map.range[type].type, expected[type]);
    }
}

static void what_does_not_serve_is_refused(void **state)
{
    (void)state;
    info.tag[MULTIBOOT2_TAG_EFI64_IH] = NULL;
    assert_non_null(strstr(efi_init(&info), "told nothing of UEFI's tables"));
    assert_null(power_leave);
    firmware(state);
    cr4 = CR4_LA57;
    assert_non_null(strstr(efi_init(&info), "5-level paging"));
    assert_int_equal(info.map.count, 16); /* so that a screen can be chosen to say it */
    assert_ptr_equal(power_leave, efi_leave);
    firmware(state);
    efer = 0;
    assert_non_null(strstr(efi_init(&info), "execute-disable is off"));
    assert_int_equal(info.map.count, 16);
}

static void memory_for_good_without_its_edges(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    assert_int_equal(efi_allocate(4 * MIB, PAGE_2M), 64 * MIB);
    assert_int_equal(allocated, 6 * MIB / PAGE_SIZE - 1);
    assert_int_equal(frees, 2);
    assert_int_equal(freed[0][0], ADDRESS);
    assert_int_equal(freed[0][1], 3);
    assert_int_equal(freed[1][0], 68 * MIB);
    assert_int_equal(freed[1][1], 512 - 1 - 3);
    assert_int_equal(efi_allocate(32 * MIB, PAGE_2M), 0);
}

/* The first attempts end with a map that has changed meanwhile. */
static void the_boot_services_end(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    key = KEY - 3;
    assert_null(efi_end(&info));
    assert_int_equal(exits, 3);
    assert_null(power_leave);
    struct multiboot2_efi_mmap told;
    memcpy(&told, info.tag[MULTIBOOT2_TAG_EFI_MMAP], sizeof(told));
    assert_int_equal(told.descr_size, sizeof(struct efi_memory_descriptor) + 8);

    firmware(state);
    assert_null(efi_init(&info));
    key = 0;
    assert_non_null(strstr(efi_end(&info), "does not end its boot services"));
    assert_int_equal(exits, 3);
    assert_ptr_equal(power_leave, efi_leave);
}

static void keeps(u64 rsp)
{
    const struct efi_frame frame = {.cr3 = 0x1000, .rflags = 0x202};
    u8 memory[64] __attribute__((aligned(16)));
    struct efi_frame *at = (struct efi_frame *)(memory + rsp);
    memcpy(at, &frame, sizeof(frame));
    efi_boot_keep(MIB, at);
    assert_null(efi_init(&info));
    assert_null(efi_boot(EFI_NEXT, false, &goes_on));
    assert_int_equal(goes_on->rsp, memory + 16);
    assert_int_equal(goes_on->cr3, 0x1000);
    assert_int_equal(goes_on->rflags, 0x202);
}

/* Whatever the loader left: where the guest calls the firmware the stack is aligned. */
static void the_stack_is_aligned(void **state)
{
    (void)state;
    keeps(0);
    keeps(8);
}

static void execute_disable_is_not_forced(void **state)
{
    (void)state;
    const struct efi_frame frame = {.cr3 = 0x1000};
    efer = EFER_LME;
    efi_boot_keep(MIB, &frame);
    assert_int_equal(efer, EFER_LME | EFER_NXE);
    efer = EFER_LME;
    nx_bit = 0;
    efi_boot_keep(MIB, &frame);
    assert_int_equal(efer, EFER_LME);
}

static void the_guest_leaves_the_loader(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    assert_null(efi_boot(EFI_NEXT, false, &goes_on));
    assert_int_equal(goes_on->rip, efi_code(efi_go_on));
    assert_int_equal(goes_on->gpr[R12], FUNCTION(EFI_EXIT));
    assert_int_equal(goes_on->gpr[R13], HANDLE);
    assert_int_equal(goes_on->gpr[R14], BIT(63) | 14); /* EFI_NOT_FOUND: the next option */
    assert_null(power_leave);
    assert_int_equal(registered, 0);
}

static void the_guest_starts_an_option(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    assert_string_equal(efi_boot(4, true, &goes_on), "not there");
    assert_ptr_equal(power_leave, efi_leave); /* the machine can be given back */
    assert_int_equal(registered, 0);
    assert_null(efi_boot(3, true, &goes_on));
    assert_int_equal(goes_on->rip, efi_code(efi_go_on_image));
    assert_int_equal(goes_on->gpr[RDI], 99);
    assert_int_equal(goes_on->gpr[R15], FUNCTION(EFI_START_IMAGE));
    assert_int_equal(registered, 1);
    assert_null(power_leave);
}

static void the_machine_is_given_back_at_a_key(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    power_leave();
    assert_int_equal(leaves, 1);
}

static void the_firmware_starts_its_cpus(void **state)
{
    (void)state;
    assert_null(efi_init(&info));
    assert_int_equal(efi_cpus(), 0);
    cpus_on = 4;
    assert_int_equal(efi_cpus(), 4);
    cpu_count = 1;
    cpus_that_come = 3;
    assert_null(efi_start_cpus(4, NULL));
    assert_int_equal(vcpu_count, 4);
    cpu_count = 1;
    cpus_that_come = 2;
    assert_non_null(strstr(efi_start_cpus(4, NULL), "do not start all"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, firmware)
    const struct CMUnitTest tests[] = {
        TEST(the_types_of_memory),
        TEST(what_does_not_serve_is_refused),
        TEST(memory_for_good_without_its_edges),
        TEST(the_boot_services_end),
        TEST(the_stack_is_aligned),
        TEST(execute_disable_is_not_forced),
        TEST(the_guest_leaves_the_loader),
        TEST(the_guest_starts_an_option),
        TEST(the_machine_is_given_back_at_a_key),
        TEST(the_firmware_starts_its_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
