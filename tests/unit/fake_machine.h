/*
 * What lies around the handlers when all of them are linked with dispatch_exit(): other CPUs,
 * the EPT, power, interrupts. Goes with fake_vmcs.c, vmx/ and exits/ without stop.c.
 */
#ifndef TALLY_TESTS_FAKE_MACHINE_H
#define TALLY_TESTS_FAKE_MACHINE_H

#include "emulate/handlers.h"
#include "fake_vmcs.h"
#include "tally.h"

/* fake_reset() with the controls that `profile` has on Bochs' tigerlake, and the MSRs that the
 * handlers take for granted. */
void fake_machine(enum tally_profile profile);
/* The same on another one of recorded_caps.h. */
void fake_machine_named(const char *name, enum tally_profile profile);

/* What the local APIC would deliver next; -1: nothing. Taken by acknowledge_interrupt(). */
extern int fake_waiting_vector;

/* Whether WRMSR of an MSR that is there is #GP for this value. */
bool fake_refuses(u32 msr, u64 value);

extern u64 guest_memory_denied; /* calls of guest_memory_deny() */
extern unsigned fake_retypes;   /* calls of guest_memory_retype() */

/* Dispatches the exit that the fields describe. False: the guest was stopped. */
bool fake_dispatch(void);

#endif
