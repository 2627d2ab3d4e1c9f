/*
 * Guest memory by linear and by physical address, as the guest's own instruction would see it.
 * Guest physical equals host physical, except for Tally's own pages, which read as ones.
 */
#ifndef TALLY_MEMORY_GUEST_MEMORY_H
#define TALLY_MEMORY_GUEST_MEMORY_H

#include "vcpu.h"

enum access { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2 };

/* In place of a privilege level: the CPU's own accesses to descriptor tables, TSSs and the like. */
#define IMPLICIT_SUPERVISOR 4u

/* Why an access failed: the exception that the guest must get. vector 0 (#DE) cannot happen: OK. */
struct guest_fault {
    u8 vector; /* VECTOR_PF, VECTOR_GP, VECTOR_SS; 0: no fault */
    u32 error_code;
    u64 address; /* CR2 for #PF */
};

/*
 * Copies between `buffer` and guest-linear memory, through the guest's paging (all modes: off,
 * 32-bit, PAE, 4- and 5-level; WP, NX, SMEP, SMAP, PKU as at privilege level `cpl`, 0 to 3 or
 * IMPLICIT_SUPERVISOR). Sets accessed and dirty bits. On a fault nothing of a write has been done
 * and false comes back.
 */
bool guest_read(u64 linear, void *buffer, size_t size, unsigned cpl, struct guest_fault *fault);
bool guest_write(u64 linear, const void *buffer, size_t size, unsigned cpl,
                 struct guest_fault *fault);

/* guest_read() as an instruction fetch. */
bool guest_fetch(u64 linear, void *buffer, size_t size, unsigned cpl, struct guest_fault *fault);

/* Whether guest_write() would succeed: for data that must not get lost on the way. */
bool guest_can_write(u64 linear, size_t size, unsigned cpl, struct guest_fault *fault);

/*
 * Translates one linear address, whose page it marks as accessed (and dirty, for a write).
 * SDM vol. 3, 'Paging'. In memory/guest_paging.c.
 */
bool guest_translate(u64 linear, enum access access, unsigned cpl, u64 *physical,
                     struct guest_fault *fault);

/* Whether the guest may use the address: canonical for its 4- or 5-level paging. */
bool guest_canonical(u64 linear);

/* The same for a base to be loaded and an address to be invalidated: for the CPU's width, whatever
 * the paging mode. SDM vol. 1, 'Canonical Addressing'. */
bool guest_canonical_operand(u64 linear);

/* Loads the PDPTEs of PAE paging from where CR3 points; false, and nothing is loaded, if one of
 * them has a reserved bit set. SDM vol. 3, 'PDPTE Registers'. */
bool guest_load_pdptes(u64 cr3);

/* What CPUID says about paging: read once, at the start. In paging_features.c. */
struct paging_features {
    unsigned
        physical_address_width; /* the guest's: without bits for keys, 48 at most for the EPT */
    bool pages_1g, la57;
};
extern struct paging_features paging_features;
void paging_features_read(void);

/* Guest-physical memory within one page; what is not RAM of the guest reads as ones. */
void guest_physical_read(u64 physical, void *buffer, size_t size);

/* Segment base + offset truncated to the address size, with limit, type and canonical checks
 * (`segment` is enum segment, `address_size` 2, 4 or 8 bytes). */
bool guest_linear_address(enum segment segment, u64 offset, unsigned address_size, size_t size,
                          enum access access, u64 *linear, struct guest_fault *fault);

/* Injects `fault` and returns what the handler should return. */
enum exit_action inject_fault(struct vcpu *vcpu, const struct guest_fault *fault);

/* In memory.c: a pointer to `size` bytes of guest RAM at a physical address within one page, or
 * NULL where there is none (Tally's own memory, holes, devices). Host tests bring their own. */
void *guest_ram(u64 physical, size_t size);

#endif
