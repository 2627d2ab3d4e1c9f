/* VMREAD and VMWRITE on the current VMCS; host tests bring an array of their own. */
#ifndef TALLY_VMX_ACCESS_H
#define TALLY_VMX_ACCESS_H

#include "types.h"
#include "x86/vmcs.h"

#ifdef TALLY_HOST

u64 vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, u64 value);

#else

/* Stops: VMWRITE refused a field, which only a bug in Tally can cause. */
__attribute__((noreturn)) void vmwrite_failed(u32 field, u64 value);

static inline u64 vmread(enum vmcs_field field)
{
    u64 value;
    __asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"((u64)field) : "cc");
    return value;
}

static inline void vmwrite(enum vmcs_field field, u64 value)
{
    __asm__ goto("vmwrite %1, %0\n\tjna %l2" : : "r"((u64)field), "rm"(value) : "cc" : failed);
    return;
failed:
    vmwrite_failed(field, value);
}

#endif

#endif
