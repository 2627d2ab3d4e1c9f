/* What must hold after any exit. */
#ifndef TALLY_TESTS_EXIT_RULES_H
#define TALLY_TESTS_EXIT_RULES_H

#include "types.h"
#include "x86/registers.h"

#define KEPT_FIELDS 40 /* room for those that no exit changes */

/* What of the guest's state the rules compare with. */
struct before {
    u64 rip, rflags, blocking, pending;
    u32 length, vectoring;
    bool code_64;
    bool memory_changes; /* while the exit lasts: what the handler has read may be gone */
    u64 gpr[GPRS];
    u64 kept[KEPT_FIELDS];
};
struct before look(void);

/* For the message of a failure: how to repeat it. */
extern void (*how_to_repeat)(char *text, size_t size);

/* The guest's state can be entered; `whose` has made it, if not. */
void check_entry_rules(const char *whose);
/* ... and is the one that this exit's reason allows, for a guest that goes on. */
void check_after(const struct before *b);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(#condition);                                                              \
    } while (0)
void check_failed(const char *condition);

#endif
