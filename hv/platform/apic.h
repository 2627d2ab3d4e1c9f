/* The local APIC of the CPU that runs this, as far as Tally uses it. */
#ifndef TALLY_PLATFORM_APIC_H
#define TALLY_PLATFORM_APIC_H

#include "types.h"

u32 apic_id(void);
/* Whether a CPU with this identifier can be reached from here: xAPIC mode has 8 bits for it. */
bool apic_reaches(u32 apic_id);

void apic_send_nmi(u32 apic_id);

void apic_send_init(u32 apic_id);

/* As an INIT leaves it, but for interrupts that wait in it. */
void apic_reset(void);

/* The CPU starts in real mode at `page` << 12 if it waits for a SIPI. */
void apic_send_sipi(u32 apic_id, u8 page);

/* What was last sent from here, by the guest or by Tally: the low half of the command register. */
u32 apic_last_command(void);
void apic_send_again(u32 last_command);

#endif
