/*
 * Flushing what the CPU cached of translations, when an emulated instruction would have done so.
 * With VPID nothing else flushes; without it every entry does, and these do nothing.
 */
#ifndef TALLY_VMX_INVALIDATE_H
#define TALLY_VMX_INVALIDATE_H

#include "vcpu.h"

/* All of the guest's linear translations, global pages included. */
void flush_guest_tlb(struct vcpu *vcpu);

/* As a MOV to CR3 does: global pages may stay. */
void flush_guest_non_global(struct vcpu *vcpu);

/* As INVLPG does; non-canonical addresses are ignored. */
void flush_guest_page(struct vcpu *vcpu, u64 linear);

/* Everything derived from the EPT on this CPU. Needed when rights or frames were taken away. */
void flush_ept(void);

#endif
