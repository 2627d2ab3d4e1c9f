/* The local APIC of the CPU that runs this, as far as Tally uses it: to reach other CPUs. */
#ifndef TALLY_PLATFORM_APIC_H
#define TALLY_PLATFORM_APIC_H

#include "types.h"

u32 apic_id(void);
void apic_send_nmi(u32 apic_id);

/* INIT, then two SIPIs with the start page `page` (physical address >> 12). */
void apic_start_cpu(u32 apic_id, u8 page);

#endif
