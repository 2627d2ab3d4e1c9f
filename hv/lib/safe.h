/*
 * Instructions whose operands the guest chose and that may fault: each returns false instead,
 * by way of the exception fix-up table (host/traps.c).
 */
#ifndef TALLY_LIB_SAFE_H
#define TALLY_LIB_SAFE_H

#include "types.h"

bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);
bool xsetbv_safe(u32 index, u64 value);
bool rdpmc_safe(u32 counter, u64 *value);

/* VMXOFF, if the CPU is in VMX operation. */
void vmxoff_safe(void);

#endif
