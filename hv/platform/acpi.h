/* What Tally reads from ACPI: the CPUs, and how this machine is switched off and reset. */
#ifndef TALLY_PLATFORM_ACPI_H
#define TALLY_PLATFORM_ACPI_H

#include "types.h"

#define PORT_PCI_ADDRESS 0xCF8
#define PORT_PCI_DATA 0xCFC

extern struct acpi_power {
    u16 pm1a_control, pm1b_control; /* ports, 0: none */
    u8 s5_type_a, s5_type_b;        /* SLP_TYP values of soft-off */
    bool s5_known;
    u16 reset_port; /* 0: none */
    u8 reset_value;
} acpi_power;

/* `rsdp`: 36 bytes, as the boot loader told; all zero: the BIOS areas are searched, and what is
 * found is put there. Without ACPI there are no CPUs, and the port that switches off is the
 * chipset's, if that is a PIIX4, which emulators have without tables, too. */
void acpi_init(u8 *rsdp);

/* The pointer to a BIOS's tables that begins with the signature and whose first `size` bytes add up
 * to 0: in the EBDA's first KiB, the last KiB of low memory or the ROM. NULL: there is none. */
const void *find_in_bios(const char *signature, size_t size);

/* Every BIOS begins with a far jump at the reset vector below 1 MiB. */
bool has_bios(void);

/* APIC identifiers of the usable CPUs, from the MADT; returns how many. NULL: only that, where one
 * that is listed in two ways counts twice. */
unsigned acpi_cpus(u32 *apic_ids);

/* Marks the CPU as not usable in the MADT, so that the guest does not try to start it. */
void acpi_hide_cpu(u32 apic_id);

/* The same from the MP table (MultiProcessor Specification 1.4), for a machine without a MADT. In
 * mp_table.c. */
unsigned mp_table_cpus(u32 *apic_ids);
void mp_table_hide_cpu(u32 apic_id);

#endif
