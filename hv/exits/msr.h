/* What becomes of the guest's RDMSR and WRMSR: one table for the bitmap and for the handlers. */
#ifndef TALLY_EXITS_MSR_H
#define TALLY_EXITS_MSR_H

#include "tally.h"

/* Intercepts what the profile asks for in the MSR bitmap. */
void msr_intercept(enum tally_profile profile);

#endif
