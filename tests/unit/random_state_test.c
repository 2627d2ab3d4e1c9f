// Random guest states for every exit reason: what the handlers leave can always be entered.
// link: hv/features.c HANDLERS hv/vmx/advance.c hv/vmx/capabilities.c hv/vmx/controls.c
// link: hv/exits/dump.c tools/explain/entry_checks*.c tools/explain/names.c hv/vmx/events.c hv/memory/guest_memory.c hv/memory/mtrr.c
// link: hv/memory/guest_paging.c hv/emulate/prefixes.c hv/emulate/segments.c hv/smp/startup.c hv/vmx/vcpu.c
// link: hv/vmx/vmcs.c hv/vmx/first_state.c hv/stats/counters.c hv/platform/a20.c hv/stats/leaves.c hv/stats/timeline.c
// link: hv/lib/print.c tests/unit/random_state.c tests/unit/fake_machine.c tests/unit/fake_vmcs*.c
#include "random_state.h"

#include "fake_machine.h"

#include <stdlib.h>

#include "names.h"
#include "entry_checks.h"

#ifndef ROUNDS
#define ROUNDS 200 /* for each reason in each profile */
#endif

static u64 seed; /* of the round: in the message of a failure, to be given in SEED */

static void rule_is_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("SEED=%#llx: reason %u (%s) leaves a state that cannot be entered: %s: %s is %#llx",
             (unsigned long long)seed, reason, reason_name(reason), sentence,
             vmcs_field_name(field), (unsigned long long)value);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("SEED=%#llx: reason %u (%s): " #condition, (unsigned long long)seed, reason,  \
                     reason_name(reason));                                                         \
    } while (0)

struct before {
    u64 rip, rflags, blocking, pending;
    u32 length, vectoring;
    bool code_64;
};

static struct before look(void)
{
    return (struct before){
        .rip = fake_get(GUEST_RIP),
        .rflags = fake_get(GUEST_RFLAGS),
        .blocking = fake_get(GUEST_INTERRUPTIBILITY),
        .pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS),
        .length = (u32)fake_get(VM_EXIT_INSTRUCTION_LENGTH),
        .vectoring = (u32)fake_get(IDT_VECTORING_INFO),
        .code_64 =
            (fake_get(GUEST_IA32_EFER) & EFER_LMA) && (fake_get(GUEST_CS_ACCESS_RIGHTS) & AR_L),
    };
}

/* Once past an instruction: no shadow, no RF, the single step pending. */
static void check_step(const struct before *b)
{
    CHECK(!(fake_get(GUEST_INTERRUPTIBILITY) & SHADOW));
    CHECK(!(fake_get(GUEST_RFLAGS) & RFLAGS_RF));
    bool stepping = (b->rflags & RFLAGS_TF) && !(fake_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
    bool may_write_debugctl = reason == EXIT_WRMSR || reason == EXIT_WRMSRNS_IMMEDIATE ||
                              reason == EXIT_WRMSRLIST || reason == EXIT_UWRMSR;
    bool pending = fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_BS;
    if (!may_write_debugctl)
        CHECK(pending == (stepping || (b->pending & PENDING_DEBUG_BS)));
}

static void check_after(const struct before *b)
{
    entry_checks(&fake_capabilities, rule_is_broken);
    if (reason == EXIT_TASK_SWITCH || reason == EXIT_SIPI || reason == EXIT_INIT_SIGNAL)
        return;

    u64 rip = fake_get(GUEST_RIP), next = b->rip + b->length;
    if (!b->code_64)
        next = (u32)next;
    CHECK(rip == b->rip || (is_kind(KIND_FAULT) && rip == next));
    if (rip != b->rip)
        check_step(b);
    u32 injected = (u32)fake_get(VM_ENTRY_INTERRUPTION_INFO);
    if (b->vectoring & (u32)INTERRUPTION_VALID) /* injected again, or an exception in its place */
        CHECK(injected & (u32)INTERRUPTION_VALID);
}

static void round_trip(enum tally_profile profile)
{
    seed = random_state;
    fake_machine(profile);
    random_exit();
    if (one_in(8))
        fake_set(VM_EXIT_REASON, reason | (u32)EXIT_REASON_BUS_LOCK);
    struct before before = look();
    unsigned rules = entry_checks(&fake_capabilities, rule_is_broken); /* the test's own states */
    CHECK(rules == 0);
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
