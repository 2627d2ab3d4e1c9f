/*
 * The SDM's rules for VM entry, checked in software, so that a failed entry can be explained.
 * SDM vol. 3, chapter 'VM Entries': 'Checks on VMX Controls and Host-State Area' and 'Checking and
 * Loading Guest State'. What the VMCS points to in memory is not looked at.
 */
#ifndef TALLY_EXPLAIN_ENTRY_CHECKS_H
#define TALLY_EXPLAIN_ENTRY_CHECKS_H

#include "vmx/access.h"
#include "vmx/capabilities.h"

/*
 * Checks the current VMCS against all rules. Each broken one goes to `report`: a sentence that says
 * what must hold, the field that breaks it and the field's value. Returns how many are broken.
 */
unsigned entry_checks(const struct vmx_capabilities *cpu,
                      void (*report)(const char *sentence, enum vmcs_field field, u64 value));

/* ---- Inside entry_checks*.c ---- */

/* One run of the checker: what several rules look at is read once. */
struct entry_check {
    const struct vmx_capabilities *cpu;
    void (*report)(const char *sentence, enum vmcs_field field, u64 value);
    unsigned broken;

    u32 word[CONTROL_WORDS];
    u32 event; /* VM-entry interruption information; 0 unless valid */
    u64 cr0, cr4, rflags;
    u32 cs_rights, ss_rights;
    bool unrestricted, ia32e, v8086;
};

void check_controls(struct entry_check *k);
void check_event_injection(struct entry_check *k);
void check_host_state(struct entry_check *k);
void check_guest_registers(struct entry_check *k);
void check_guest_segments(struct entry_check *k);
void check_guest_activity(struct entry_check *k);

void rule_broken(struct entry_check *k, enum vmcs_field field, const char *sentence);

/* One rule: `holds` says that it is kept. */
static inline void rule(struct entry_check *k, bool holds, enum vmcs_field field,
                        const char *sentence)
{
    if (!holds)
        rule_broken(k, field, sentence);
}

/* `b` must hold wherever `a` does. */
static inline bool implies(bool a, bool b)
{
    return !a || b;
}

bool canonical(const struct entry_check *k, u64 address);
bool within_physical(const struct entry_check *k, u64 address);
/* A page that a control needs: aligned and within the physical-address width. */
bool legal_page(const struct entry_check *k, u64 address);
bool legal_efer(u64 efer);

#endif
