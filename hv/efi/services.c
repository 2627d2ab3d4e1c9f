#include "efi/services.h"
#include "efi/boot.h"
#include "host/cpu.h"
#include "host/paging.h"
#include "lib/string.h"
#include "platform/boot_info.h"
#include "platform/power.h"
#include "x86/msr.h"

/* UEFI, 'EFI System Table', 'EFI Runtime Services Table', 'Simple Text Input Protocol' and
 * 'EFI_BOOT_SERVICES.AllocatePages()'. */
#define SYSTEM_TABLE_CONSOLE_IN 48
#define SYSTEM_TABLE_RUNTIME_SERVICES 88
#define SYSTEM_TABLE_BOOT_SERVICES 96
#define RUNTIME_GET_VARIABLE 72
#define CONSOLE_WAIT_FOR_KEY 16
#define ALLOCATE_MAX_ADDRESS 1

/* Types of memory, as far as they are not like reserved memory. */
enum {
    EFI_LOADER_CODE = 1,
    EFI_BOOT_DATA = 4,
    EFI_CONVENTIONAL = 7,
    EFI_UNUSABLE,
    EFI_ACPI,
    EFI_NVS
};

#define ENTRY_ATTEMPTS 3 /* ending the boot services may itself change the map */

struct efi_state efi_state;
u64 efi_enter(u64 function, const u64 arguments[8]);

static u64 loaded_at;
u64 efi_function[48]; /* a copy: the table may lie above 4 GiB */

/* The firmware's map, in the form of the tag: GetMemoryMap fills it. */
static struct {
    u32 descriptor_size, version;
    u8 descriptors[24 * KIB];
} map;

void efi_keep_state(u64 image, const struct efi_frame *frame)
{
    loaded_at = image;
    __asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(efi_state.gdtr), "=m"(efi_state.idtr));
    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1\n\tmov %%ds, %2"
                     : "=r"(efi_state.cs), "=r"(efi_state.ss), "=r"(efi_state.ds));
    efi_state.rsp = align_down((u64)frame, 16);
    efi_state.cr3 = read_cr3();
}

u64 efi_code(void (*code)(void))
{
    return loaded_at + (u64)code - IMAGE_VIRTUAL;
}

u64 efi_call(u64 address, const u64 arguments[8])
{
    u64 status = efi_enter(address, arguments);
    cpu_load_tables(&boot_cpu);
    return status;
}

static u32 multiboot_type(u32 type)
{
    if ((type >= EFI_LOADER_CODE && type <= EFI_BOOT_DATA) || type == EFI_CONVENTIONAL)
        return MEMORY_RAM;
    switch (type) {
    case EFI_UNUSABLE: return MEMORY_BAD;
    case EFI_ACPI: return MEMORY_ACPI_RECLAIMABLE;
    case EFI_NVS: return MEMORY_ACPI_NVS;
    default: return MEMORY_RESERVED;
    }
}

/* Into info->map; its key and size come back, too. */
static const char *read_map(struct boot_info *info, u64 *key, u64 *size)
{
    struct efi_memory_descriptor entry;
    u64 step = sizeof(entry);
    *size = sizeof(map.descriptors);
    if (EFI_CALL(EFI_GET_MEMORY_MAP, own_physical(size), own_physical(map.descriptors),
                 own_physical(key), own_physical(&step), own_physical(&map.version)))
        return "UEFI's memory map cannot be had";
    map.descriptor_size = (u32)step;
    info->map.count = 0;
    for (u64 at = 0; at + sizeof(entry) <= *size; at += step) {
        memcpy(&entry, map.descriptors + at, sizeof(entry));
        if (!memory_map_add(&info->map, entry.start, entry.pages * PAGE_SIZE,
                            multiboot_type(entry.type)))
            return MAP_FULL;
    }
    return NULL;
}

static u64 told_address(const struct boot_info *info, u32 type)
{
    u64 address = 0;
    if (info->tag[type])
        memcpy(&address, info->tag[type] + 1, sizeof(address));
    return address;
}

/* In the firmware's page tables. */
static u64 quadword(u64 address)
{
    return *(const u64 *)address;
}

const char *efi_init(struct boot_info *info)
{
    u64 map_key, size, system_table = told_address(info, MULTIBOOT2_TAG_EFI64);
    efi_state.image = told_address(info, MULTIBOOT2_TAG_EFI64_IH);
    if (!system_table || !efi_state.image)
        return "the boot loader told nothing of UEFI's tables";
    memcpy(efi_function, (const void *)quadword(system_table + SYSTEM_TABLE_BOOT_SERVICES),
           sizeof(efi_function));
    efi_state.get_variable =
        quadword(quadword(system_table + SYSTEM_TABLE_RUNTIME_SERVICES) + RUNTIME_GET_VARIABLE);
    u64 console = quadword(system_table + SYSTEM_TABLE_CONSOLE_IN);
    if (console)
        efi_state.key = quadword(console + CONSOLE_WAIT_FOR_KEY);
    power_leave = efi_leave;
    const char *problem = read_map(info, &map_key, &size); /* what is wrong wants a screen */
    if (problem)
        return problem;
    if (read_cr4() & CR4_LA57)
        return "the firmware has left 5-level paging on (CR4.LA57); switch it off in its set-up";
    if (!(rdmsr(IA32_EFER) & EFER_NXE))
        return "execute-disable is off; switch it on in the firmware's set-up";
    return NULL;
}

u64 efi_allocate(u64 size, u64 align)
{
    u64 address = 4 * GIB - 1, all = size + align - PAGE_SIZE;
    if (EFI_CALL(EFI_ALLOCATE_PAGES, ALLOCATE_MAX_ADDRESS, EFI_RESERVED_MEMORY_TYPE,
                 all / PAGE_SIZE, own_physical(&address)))
        return 0;
    u64 base = align_up(address, align), end = base + size, all_end = address + all;
    if (base > address)
        EFI_CALL(EFI_FREE_PAGES, address, (base - address) / PAGE_SIZE);
    if (all_end > end)
        EFI_CALL(EFI_FREE_PAGES, end, (all_end - end) / PAGE_SIZE);
    return base;
}

const char *efi_end(struct boot_info *info)
{
    u64 map_key, size;
    for (unsigned i = 0; i < ENTRY_ATTEMPTS; i++) {
        const char *problem = read_map(info, &map_key, &size);
        if (problem)
            return problem;
        if (EFI_CALL(EFI_EXIT_BOOT_SERVICES, efi_state.image, map_key))
            continue;
        power_leave = NULL;
        return copy_tag(info, MULTIBOOT2_TAG_EFI_MMAP, &map, 2 * sizeof(u32) + size);
    }
    return "UEFI does not end its boot services";
}
