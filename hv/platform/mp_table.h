/* The CPUs as the MP table lists them (MultiProcessor Specification 1.4), where there is no MADT.
 */
#ifndef TALLY_PLATFORM_MP_TABLE_H
#define TALLY_PLATFORM_MP_TABLE_H

#include "types.h"

/* APIC identifiers of the usable CPUs; returns how many (at most `max`), 0 without a table. */
unsigned mp_table_cpus(u32 *apic_ids, unsigned max);

/* Marks the CPU as not usable, where the table lies in memory that can be written. */
void mp_table_hide_cpu(u32 apic_id);

#endif
