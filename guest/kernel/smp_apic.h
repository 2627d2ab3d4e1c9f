/* The local APIC in both of its modes, as the CPU that runs this has it. */
#ifndef GUEST_SMP_APIC_H
#define GUEST_SMP_APIC_H

#include "types.h"

#define ICR_FIXED 0x4000u
#define ICR_NMI 0x4400u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define APIC_ALL_OTHERS 0xFFFFFFFFu /* a destination */

bool apic_has_x2apic(void);
void apic_enter_x2apic(void);
void apic_enable(void);
u32 apic_own_id(void);
void apic_send(u32 destination, u32 command);
void apic_end_of_interrupt(void);

#endif
