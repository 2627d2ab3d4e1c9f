/* VMREAD and VMWRITE on the current VMCS; host tests bring an array of their own. */
#ifndef TALLY_VMX_ACCESS_H
#define TALLY_VMX_ACCESS_H

#include "types.h"
#include "x86/vmx.h"

/* A build that counts reads and writes has these from tests/accesses/accesses.h. */
#ifndef COUNT_ACCESS
#define COUNT_ACCESS(kind)
#define ACCESSES_OF(slot)
#define ACCESSES_PRINT()
#endif

/* Stops: VMWRITE refused a field, which only a bug in Tally can cause. */
__attribute__((noreturn)) void vmwrite_failed(u32 field, u64 value);

#ifdef TALLY_HOST

u64 vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, u64 value);
#define vmwrite_unchecked vmwrite
bool vmread_safe(enum vmcs_field field, u64 *value);

#else

static inline u64 vmread(enum vmcs_field field)
{
    u64 value;
    COUNT_ACCESS(reads);
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((u64)field) : "cc");
    return value;
}

/* For fields that this CPU may lack: false then. */
static inline bool vmread_safe(enum vmcs_field field, u64 *value)
{
    bool read;
    __asm__ volatile("vmread %2, %1" : "=@cca"(read), "=r"(*value) : "r"((u64)field));
    return read;
}

/* Of a field that every CPU with VMX has, where each tick counts. */
static inline void vmwrite_unchecked(enum vmcs_field field, u64 value)
{
    COUNT_ACCESS(writes);
    __asm__ volatile("vmwrite %1, %0" : : "r"((u64)field), "r"(value) : "cc");
}

static inline void vmwrite(enum vmcs_field field, u64 value)
{
    COUNT_ACCESS(writes);
    __asm__ goto("vmwrite %1, %0\n\tjna %l2" : : "r"((u64)field), "r"(value) : "cc" : failed);
    return;
failed:
    vmwrite_failed(field, value);
}

#endif

#endif
