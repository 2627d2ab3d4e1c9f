#include "platform/acpi.h"
#include "lib/string.h"
#include "host/paging.h"

#define POINTER_SIZE 16
#define ENTRY_CPU 0
#define CPU_ENABLED 1

struct header {
    char signature[4];
    u16 length;
    u8 revision, checksum;
    char oem[8], product[12];
    u32 oem_table;
    u16 oem_table_size, entries;
    u32 local_apic;
    u16 extended_length;
    u8 extended_checksum, reserved;
};
_Static_assert(sizeof(struct header) == 44, "MP configuration table header");

struct cpu_entry {
    u8 type, apic_id, apic_version, flags;
    u32 signature, features, reserved[2];
};
_Static_assert(sizeof(struct cpu_entry) == 20, "MP processor entry");

/* MP specification, 'MP Floating Pointer Structure'. */
static struct header *find_table(void)
{
    const u8 *pointer = find_in_bios("_MP_", POINTER_SIZE);
    u32 table = 0;
    if (pointer)
        memcpy(&table, pointer + 4, sizeof(table));
    struct header *header = physical(table);
    bool whole =
        table && memcmp(header->signature, "PCMP", 4) == 0 && sums_to_zero(header, header->length);
    return whole ? header : NULL;
}

/* The next usable CPU's entry from `*entry` on, which moves past it; NULL at the end. */
static struct cpu_entry *next_cpu(const struct header *header, u8 **entry)
{
    const u8 *end = (const u8 *)header + header->length;
    while (*entry + 8 <= end) {
        struct cpu_entry *cpu = (struct cpu_entry *)*entry;
        *entry += cpu->type == ENTRY_CPU ? sizeof(*cpu) : 8;
        if (cpu->type == ENTRY_CPU && (cpu->flags & CPU_ENABLED))
            return cpu;
    }
    return NULL;
}

unsigned mp_table_cpus(u32 *apic_ids)
{
    struct header *header = find_table();
    u8 *entry = (u8 *)(header + 1);
    unsigned count = 0;
    const struct cpu_entry *cpu;
    for (; header && (cpu = next_cpu(header, &entry)); count++)
        if (apic_ids)
            apic_ids[count] = cpu->apic_id;
    return count;
}

void mp_table_hide_cpu(u32 apic_id)
{
    struct header *header = find_table();
    u8 *entry = (u8 *)(header + 1);
    struct cpu_entry *cpu;
    while (header && (cpu = next_cpu(header, &entry))) {
        if (cpu->apic_id == apic_id) {
            cpu->flags &= (u8)~CPU_ENABLED;
            header->checksum += CPU_ENABLED;
        }
    }
}
