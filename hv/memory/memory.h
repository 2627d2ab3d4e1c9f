/* The guest's physical memory as a whole: what it may reach, what hides Tally's own. */
#ifndef TALLY_MEMORY_MEMORY_H
#define TALLY_MEMORY_MEMORY_H

#include "memory/ept.h"
#include "vcpu.h"

/* How many frames guest_memory_init() takes. */
unsigned guest_memory_frames(u64 ept_capabilities, u64 top);

/* Builds the EPT: [0, top) as it is, except for Tally's own [own, own+own_size). */
void guest_memory_init(u64 ept_capabilities, u64 top, u64 own, u64 own_size);

extern struct ept guest_ept;

/* Whether the address is Tally's own. */
bool is_own_memory(u64 physical);

/* The guest touched Tally's memory: it gets ones to read, or a junk page to write to. */
void guest_memory_deny(u64 physical, bool write);

/* Of Tally's memory the guest may read these pages: the window. Before it runs. */
void guest_memory_show(u64 physical, u64 size);

/* Puts back what guest_memory_deny() has replaced of them, for every CPU. */
void guest_memory_show_again(struct vcpu *vcpu);

/* How often that has happened, counting each page's first read and first write. */
extern u64 guest_memory_denied;

/* Maps an address above `top`. False if EPT cannot translate it. */
bool guest_memory_map(struct vcpu *vcpu, u64 physical);

/* After the vCPU's write to one of its MTRRs: if it is the boot CPU, the EPT follows, for every
 * CPU. Not while it has the MTRRs off, as it does for a moment to change several, and not if they
 * say what they said before. */
void guest_memory_retype(struct vcpu *vcpu);

/* At the end: a line if a CPU of the guest has other MTRRs than the boot CPU. */
void guest_memory_say_odd_types(void);

#endif
