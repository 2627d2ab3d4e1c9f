/*
 * The guest's own paging, walked in software. One loop serves all modes: they differ in the number
 * of levels, the size of an entry and the bits that must be 0. SDM vol. 3, 'Paging'.
 */
#include "lib/atomic.h"
#include "memory/guest_memory.h"
#include "vmx/guest_state.h"
#include "x86/instructions.h"

#define ENTRY_PRESENT BIT(0)
#define ENTRY_WRITE BIT(1)
#define ENTRY_USER BIT(2)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY BIT(6)
#define ENTRY_LARGE BIT(7)
#define ENTRY_NO_EXECUTE BIT(63)
#define ENTRY_KEY(entry) ((unsigned)((entry) >> 59) & 15)

#define FAULT_PRESENT BIT(0)
#define FAULT_WRITE BIT(1)
#define FAULT_USER BIT(2)
#define FAULT_RESERVED BIT(3)
#define FAULT_FETCH BIT(4)
#define FAULT_KEY BIT(5)

#define LEVELS_MAX 5
#define CR3_32BIT_TABLE 0xFFFFF000ull
#define CR3_PDPT 0xFFFFFFE0ull

/* The paging mode and the registers that rule it, as they are during one access. */
struct paging {
    u64 cr0, cr4, efer;
    u64 root; /* physical address of the first table */
    unsigned levels, entry_size, index_bits;
    bool root_present; /* PAE paging: by the PDPTE */
};

/* A table entry on the way to the page. */
struct step {
    u64 address, entry;
};

struct walk {
    struct step step[LEVELS_MAX];
    unsigned steps;
    u64 physical;
    bool user, write, no_execute; /* all levels together */
    bool present, reserved;
};

static void read_paging(u64 linear, struct paging *p)
{
    *p = (struct paging){.cr0 = vmread(GUEST_CR0),
                         .cr4 = vmread(GUEST_CR4),
                         .efer = vmread(GUEST_IA32_EFER),
                         .root = vmread(GUEST_CR3),
                         .entry_size = 8,
                         .index_bits = 9,
                         .root_present = true};
    if (p->efer & EFER_LMA) {
        p->levels = p->cr4 & CR4_LA57 ? 5 : 4;
        p->root &= BITS(51, 12);
    } else if (p->cr4 & CR4_PAE) {
        u64 pdpte = vmread(GUEST_PDPTE0 + 2 * ((linear >> 30) & 3));
        p->levels = 2;
        p->root = pdpte & BITS(51, 12);
        p->root_present = pdpte & ENTRY_PRESENT;
    } else {
        p->levels = 2;
        p->entry_size = 4;
        p->index_bits = 10;
        p->root &= CR3_32BIT_TABLE;
    }
}

/* Whether an entry at `level` (1: page table) maps a page and not another table. */
static bool maps_page(const struct paging *p, unsigned level, u64 entry)
{
    if (level == 1)
        return true;
    if (!(entry & ENTRY_LARGE))
        return false;
    return level == 2 ? p->entry_size == 8 || (p->cr4 & CR4_PSE)
                      : level == 3 && paging_features.pages_1g;
}

/* Bits that must be 0 in a present entry. */
static u64 reserved_bits(const struct paging *p, unsigned level, bool page, unsigned page_shift)
{
    unsigned width = paging_features.physical_address_width;
    u64 reserved = 0;
    if (p->entry_size == 4) {
        /* PSE-36: bits 20:13 of a large page's entry are address bits 39:32 */
        unsigned used = width < 40 ? width : 40;
        return page && level == 2 ? BITS(21, used - 19) : 0;
    }
    if (width < 52)
        reserved |= BITS(51, width);
    if (!(p->efer & EFER_NXE))
        reserved |= ENTRY_NO_EXECUTE;
    if (!(p->efer & EFER_LMA))
        reserved |= BITS(62, 52);
    if (page && level > 1)
        reserved |= BITS(page_shift - 1, 13); /* bit 12 is PAT */
    if (!page && level > 2)
        reserved |= ENTRY_LARGE;
    return reserved;
}

/* The address in an entry: of the next table, or of the page that `linear` lies in. */
static u64 entry_address(const struct paging *p, bool page, unsigned page_shift, u64 entry)
{
    u64 address = entry & (p->entry_size == 8 ? BITS(51, 12) : CR3_32BIT_TABLE);
    if (!page)
        return address;
    if (p->entry_size == 4 && page_shift > 12)
        address = (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << 19;
    return address & ~(BIT(page_shift) - 1);
}

/* In one piece, since other CPUs may write it; where there is no RAM it reads as ones. */
static u64 read_entry(u64 address, unsigned size)
{
    const void *memory = guest_ram(address, size);
    if (!memory)
        return size == 4 ? 0xFFFFFFFF : ~0ull;
    return size == 4 ? *(const volatile u32 *)memory : *(const volatile u64 *)memory;
}

static void walk_tables(const struct paging *p, u64 linear, struct walk *w)
{
    *w = (struct walk){.user = true, .write = true};
    u64 table = p->root;
    if (!p->root_present)
        return;
    for (unsigned level = p->levels;; level--) {
        unsigned shift = 12 + p->index_bits * (level - 1);
        u64 index = (linear >> shift) & (BIT(p->index_bits) - 1);
        u64 address = table + index * p->entry_size;
        u64 entry = read_entry(address, p->entry_size);
        bool page = maps_page(p, level, entry);

        w->present = entry & ENTRY_PRESENT;
        w->reserved = w->present && (entry & reserved_bits(p, level, page, shift));
        if (!w->present || w->reserved)
            return;
        w->step[w->steps++] = (struct step){address, entry};
        w->user &= !!(entry & ENTRY_USER);
        w->write &= !!(entry & ENTRY_WRITE);
        w->no_execute |= p->entry_size == 8 && (entry & ENTRY_NO_EXECUTE);
        table = entry_address(p, page, shift, entry);
        if (page) {
            w->physical = table | (linear & (BIT(shift) - 1));
            return;
        }
    }
}

/* RDPKRU needs the bit in Tally's own CR4; its pages have no keys. */
static u32 guest_pkru(void)
{
    u64 cr4 = read_cr4();
    write_cr4(cr4 | CR4_PKE);
    u32 pkru = rdpkru();
    write_cr4(cr4);
    return pkru;
}

/* SDM vol. 3, 'Protection Keys'. Keys are for data in user pages only. */
static bool key_forbids(const struct paging *p, const struct walk *w, enum access access, bool user)
{
    if (!(p->efer & EFER_LMA) || !(p->cr4 & CR4_PKE) || !w->user || access == ACCESS_FETCH)
        return false;
    u32 rights = guest_pkru() >> (2 * ENTRY_KEY(w->step[w->steps - 1].entry));
    bool access_disable = rights & 1, write_disable = rights & 2;
    return access_disable ||
           (write_disable && access == ACCESS_WRITE && (user || (p->cr0 & CR0_WP)));
}

/* SDM vol. 3, 'Determination of Access Rights', without protection keys. */
static bool rights_forbid(const struct paging *p, const struct walk *w, enum access access,
                          unsigned cpl)
{
    bool user = cpl == 3;
    if (user && !w->user)
        return true;
    if (access == ACCESS_FETCH)
        return w->no_execute || (!user && w->user && (p->cr4 & CR4_SMEP));
    if (!user && w->user && (p->cr4 & CR4_SMAP) &&
        (cpl == IMPLICIT_SUPERVISOR || !(vmread(GUEST_RFLAGS) & RFLAGS_AC)))
        return true;
    return access == ACCESS_WRITE && !w->write && (user || (p->cr0 & CR0_WP));
}

/* SDM vol. 3, 'Page-Fault Exceptions'. */
static bool page_fault(const struct paging *p, u64 linear, enum access access, unsigned cpl,
                       u32 cause, struct guest_fault *fault)
{
    bool no_execute = p->entry_size == 8 && (p->efer & EFER_NXE);
    u32 error_code = cause;
    if (access == ACCESS_WRITE)
        error_code |= FAULT_WRITE;
    if (cpl == 3)
        error_code |= FAULT_USER;
    if (access == ACCESS_FETCH && (no_execute || (p->cr4 & CR4_SMEP)))
        error_code |= FAULT_FETCH;
    *fault = (struct guest_fault){VECTOR_PF, error_code, linear};
    return false;
}

/* Sets bits in an entry as it was walked; false if another CPU has changed it since. */
static bool mark_entry(const struct step *step, unsigned size, u64 bits)
{
    void *memory = guest_ram(step->address, size);
    u64 old64 = step->entry;
    u32 old32 = (u32)step->entry;
    if (!memory || (step->entry & bits) == bits)
        return true;
    if (size == 4)
        return atomic_replace((u32 *)memory, &old32, old32 | (u32)bits);
    return atomic_replace((u64 *)memory, &old64, old64 | bits);
}

/* SDM vol. 3, 'Accessed and Dirty Flags'. */
static bool mark_walk(const struct paging *p, const struct walk *w, enum access access)
{
    for (unsigned i = 0; i < w->steps; i++) {
        bool page = i == w->steps - 1;
        u64 bits = ENTRY_ACCESSED | (page && access == ACCESS_WRITE ? ENTRY_DIRTY : 0);
        if (!mark_entry(&w->step[i], p->entry_size, bits))
            return false;
    }
    return true;
}

/* A CPU of the guest's that never stops changing an entry must not keep this one here. */
#define MARKING_TRIES 1000

bool guest_translate(u64 linear, enum access access, unsigned cpl, u64 *physical,
                     struct guest_fault *fault)
{
    struct paging p;
    struct walk w;
    for (unsigned tries = 1;; tries++) {
        if (!guest_canonical(linear)) {
            *fault = (struct guest_fault){.vector = VECTOR_GP};
            return false;
        }
        read_paging(linear, &p);
        if (!(p.cr0 & CR0_PG)) {
            *physical = linear;
            return true;
        }
        walk_tables(&p, linear, &w);
        if (!w.present)
            return page_fault(&p, linear, access, cpl, 0, fault);
        if (w.reserved)
            return page_fault(&p, linear, access, cpl, FAULT_PRESENT | FAULT_RESERVED, fault);
        bool key = key_forbids(&p, &w, access, cpl == 3);
        if (key || rights_forbid(&p, &w, access, cpl))
            return page_fault(&p, linear, access, cpl, FAULT_PRESENT | (key ? FAULT_KEY : 0),
                              fault);
        *physical = w.physical;
        if (mark_walk(&p, &w, access) || tries == MARKING_TRIES)
            return true;
    }
}

bool guest_load_pdptes(u64 cr3)
{
    u64 reserved = BITS(63, paging_features.physical_address_width) | BITS(8, 5) | BITS(2, 1);
    u64 pdpte[4];
    guest_physical_read(cr3 & CR3_PDPT, pdpte, sizeof(pdpte));
    for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++)
        if ((pdpte[i] & ENTRY_PRESENT) && (pdpte[i] & reserved))
            return false;
    for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++)
        vmwrite(GUEST_PDPTE0 + 2 * i, pdpte[i]);
    return true;
}
