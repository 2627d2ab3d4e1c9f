/* Machines with MTRRs, and EPTs for them: every page of built tables is walked in software and
 * compared with an oracle that knows the MTRR rules only, byte by byte. */
#ifndef TALLY_TESTS_EPT_MACHINE_H
#define TALLY_TESTS_EPT_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory/ept.h"
#include "x86/vmx.h"

#define FRAMES 6000
#define POOL_PHYSICAL 0x7F000000ull

#define MTRR_ON (BIT(11) | BIT(10))
#define VALID BIT(11)
#define CAP_FIXED BIT(8)

#define CAPS_SMALL (EPT_CAP_WALK_4 | EPT_CAP_WB)
#define CAPS_2M (CAPS_SMALL | EPT_CAP_2M)
#define CAPS_1G (CAPS_2M | EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY)

extern u8 pool[FRAMES * PAGE_SIZE]; /* the frames */

/* A usual PC: write-back, holes for devices below 4 GiB and VGA. */
struct mtrr_state pc(unsigned bits);
/* One more variable range. */
void add(struct mtrr_state *s, u64 base, u64 size, u8 type);
/* The SDM's definition, for one address. */
u8 oracle(const struct mtrr_state *s, u64 address);

struct ept build(u64 caps, const struct mtrr_state *s, u64 to);
/* A software walk as the SDM describes it; the entry's memory type and translation. */
u64 walk(const struct ept *ept, u64 address, unsigned *level);
void check_page(const struct ept *ept, u64 address, u64 caps);
void check_all(const struct ept *ept, u64 caps, u64 to);

#endif
