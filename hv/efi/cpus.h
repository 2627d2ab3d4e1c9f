/*
 * The other CPUs under UEFI, by its own MP services (UEFI PI, 'MP Services Protocol'): each comes
 * into Tally in a procedure that the firmware calls, and returns from it as a guest, so that it
 * does not matter how it waits there.
 */
#ifndef TALLY_EFI_CPUS_H
#define TALLY_EFI_CPUS_H

#include "host/cpu.h"
#include "host/found_state.h"

/* Before the move: how many CPUs are on. 0: there are no MP services. */
unsigned efi_cpus(void);

/* Starts those that efi_cpus() told of, `count` with this one: each gets its block and calls
 * `enter`, which enters its guest. NULL, or what is wrong. */
const char *efi_start_cpus(unsigned count,
                           void (*enter)(struct cpu *cpu, const struct found_state *found));

#endif
