// Random guest states for every exit reason: what the handlers leave can always be entered.
// link: tests/unit/random_source.c tests/unit/random_guest.c tests/unit/random_state.c
// link: tests/unit/exit_rules.c tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "random_state.h"

#include "exit_rules.h"
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef ROUNDS
#define ROUNDS 200 /* for each reason in each profile */
#endif

static u64 seed; /* of the round: to be given in SEED */

static void say_seed(char *text, size_t size)
{
    snprintf(text, size, "SEED=%#llx", (unsigned long long)seed);
}

static void round_trip(enum tally_profile profile)
{
    seed = random_state;
    fake_machine(profile);
    random_exit();
    if (one_in(8))
        fake_set(VM_EXIT_REASON, reason | (u32)EXIT_REASON_BUS_LOCK);
    struct before before = look();
    check_entry_rules("the test makes");
    if (reason == EXIT_SIPI && one_in(2))
        fake_set(GUEST_INTERRUPTIBILITY, BLOCKING_BY_SMI); /* as Bochs 2.7 does */
    bool debug_exit = reason == EXIT_EXCEPTION_NMI &&
                      (fake_get(VM_EXIT_INTERRUPTION_INFO) & 0x7FF) == (3 << 8 | VECTOR_DB);
    if (debug_exit) /* what was pending has become this exit, even in a shadow */
        fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    if (fake_dispatch())
        check_after(&before);
    CHECK(fake_vcpu.stats->reason[reason].count == 1);
}

static void what_handlers_leave_can_be_entered(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    how_to_repeat = say_seed;
    random_state = given ? strtoull(given, NULL, 0) : 0x9E3779B97F4A7C15;
    for (enum tally_profile profile = PROFILE_MINIMAL; profile <= PROFILE_ALL; profile++)
        for (reason = 0; reason < EXIT_REASONS; reason++)
            if (!is_kind(KIND_ENTRY))
                for (unsigned i = 0; i < ROUNDS; i++)
                    round_trip(profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_handlers_leave_can_be_entered),
    };
    return cmocka_run_group_tests_name("Random guest states", tests, NULL, NULL);
}
