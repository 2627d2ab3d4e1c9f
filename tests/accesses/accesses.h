/*
 * A build of Tally that counts its own VMREADs and VMWRITEs, by the reason of the exit that they
 * are for: under a hypervisor without VMCS shadowing each is an exit of its own. For one vCPU. With
 * `make COUNT_ACCESSES=1` every source of Tally's begins with this; hv/vmx/access.h has nothing in
 * its place.
 */
#ifndef TALLY_TESTS_ACCESSES_H
#define TALLY_TESTS_ACCESSES_H

extern struct accesses {
    unsigned long reads, writes;
} accesses; /* since the last exit's end */

#define COUNT_ACCESS(kind) (accesses.kind++)

/* They belong to an exit of this slot; those before the first one's end to none. */
#define ACCESSES_OF(slot) accesses_of(slot)
void accesses_of(unsigned long slot);

/* One line a reason: exits, VMREADs and VMWRITEs in all. */
#define ACCESSES_PRINT() accesses_print()
void accesses_print(void);

#endif
