/* The families of tests, each in a file of its own. */
#ifndef GUEST_FAMILIES_H
#define GUEST_FAMILIES_H

void test_leaves(void);
void test_cpuid(void);
void test_msr(void);
void test_io(void);

#endif
