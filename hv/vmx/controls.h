/*
 * Which controls Tally runs with: what it needs and what the profile wants, as far as the CPU goes.
 * SDM vol. 3, 'Algorithms for Determining VMX Capabilities'.
 */
#ifndef TALLY_VMX_CONTROLS_H
#define TALLY_VMX_CONTROLS_H

#include "tally.h"
#include "vmx/capabilities.h"
#include "vcpu.h"

/*
 * Fills `out`. Returns NULL, or one line that names by its SDM name the first control that Tally
 * needs and the CPU lacks, or that the CPU forces and Tally cannot use.
 */
const char *controls_negotiate(const struct vmx_capabilities *c, enum tally_profile profile,
                               struct controls *out);

/*
 * Writes the SDM's names of the controls that the profile wants and the CPU lacks into `buffer`,
 * with commas between. Returns the length of the whole list, 0 if nothing is lacking.
 */
size_t controls_lacking(const struct vmx_capabilities *c, enum tally_profile profile, char *buffer,
                        size_t size);

/*
 * Writes the words, masks and those bitmaps that belong to a control alone (XSS, ENCLS, ENCLV,
 * PCONFIG exiting; VM functions) to the current VMCS. Leaves addresses, counts and injection alone.
 */
void controls_write(const struct controls *controls);

/* ---- bitmaps.c: which ports and MSRs cause exits, for all vCPUs ---- */

enum msr_access { MSR_READ = 1, MSR_WRITE = 2 };

/* Allocates them; nothing is intercepted. */
void bitmaps_init(void);

/* An access to `port` exits from now on. */
void intercept_port(u16 port);

/* So does one to any port but that of requests to the firmware's SMM handlers, some of which take
 * what is in the registers of the CPU that asks: the guest's own OUT has to get there. */
void intercept_most_ports(void);

/* These accesses (a set of enum msr_access) to an MSR of the bitmap's two ranges exit from now on,
 * on all CPUs; those to other MSRs always do. SDM vol. 3, 'MSR-Bitmap Address'. */
void intercept_msr(u32 msr, unsigned accesses);

u64 io_bitmap_physical(unsigned half); /* 0: ports 0 to 7FFF, 1: the others */
u64 msr_bitmap_physical(void);

#endif
