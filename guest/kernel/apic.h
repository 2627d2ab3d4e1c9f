/* The local APIC (xAPIC, memory-mapped), the PIC and the PIT, as sources of interrupts. */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include "types.h"

enum interrupt_source_vector {
    VECTOR_PIT = 0x30, /* the PIC's IRQ 0 */
    VECTOR_TIMER = 0x50,
    VECTOR_LOW = 0x61,
    VECTOR_HIGH = 0x71,
    VECTOR_SPURIOUS = 0xFF,
};

void apic_init(void);
/* From now on in x2APIC mode; there is no way back. */
void apic_use_x2apic(void);
void apic_eoi(void);
/* One interrupt VECTOR_TIMER after `ticks` of the APIC's clock. */
void apic_timer_start(u32 ticks);
/* From now on IA32_TSC_DEADLINE starts the timer, not apic_timer_start(). */
void apic_timer_deadline_mode(void);
void apic_timer_stop(void);
void apic_self_ipi(u32 vector);
/* An NMI to this CPU itself. */
void apic_self_nmi(void);
/* The same for code under test: what it must write, and where. */
u32 apic_prepare_self_nmi(u64 *address);

/* Whether an interrupt is being handled, or waits to be. */
bool apic_in_service(u32 vector);
bool apic_requested(u32 vector);

/* One interrupt VECTOR_PIT after `ticks` of 838 ns; pit_stop() closes the PIC again. */
void pit_start(u16 ticks);
void pit_stop(void);
void pic_eoi(void);

/* Counts `ticks` down without an interrupt. */
void pit_count(u16 ticks);
bool pit_has_counted(void);

#endif
