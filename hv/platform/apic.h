/* The local APIC of the CPU that runs this, as far as Tally uses it. */
#ifndef TALLY_PLATFORM_APIC_H
#define TALLY_PLATFORM_APIC_H

#include "types.h"

u32 apic_id(void);
/* Whether a CPU with this identifier can be reached from here: xAPIC mode has 8 bits for it. */
bool apic_reaches(u32 apic_id);

/* Commands: the low half of the command register. SDM vol. 3, 'Interrupt Command Register (ICR)'.
 */
#define SEND_NMI 0x4400u
#define SEND_INIT 0x4500u
#define SEND_SIPI(page) (0x4600u | (page)) /* to start in real mode at `page` << 12 */
void apic_send(u32 apic_id, u32 command);

/* As an INIT leaves it, but for interrupts that wait in it. */
void apic_reset(void);

/* What was last sent from here, by the guest or by Tally. */
u32 apic_last_command(void);

#endif
