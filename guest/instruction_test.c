#include "instruction_test.h"
#include "statistics.h"
#include "tap.h"

static bool exits_here(const struct expected_exits *exits)
{
    return exits->count && tally_profile() >= exits->from;
}

/* Exceptions that Tally looks at before the guest does. */
static bool exception_exits(u32 vector)
{
    static const u32 intercepted[] = {
        [PROFILE_MINIMAL] = 1u << VECTOR_DB | 1u << VECTOR_AC,
        [PROFILE_KVM] = 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_UD | 1u << VECTOR_MC,
        [PROFILE_ALL] = 0xFFFFFFFF,
    };

    return intercepted[tally_profile()] >> vector & 1;
}

/*
 * An instruction that exits gets its fault from Tally; a fault that the CPU itself finds is an exit
 * of its own where exceptions are intercepted.
 */
static struct expected_exits expected(const struct instruction_test *test)
{
    struct expected_exits exits = test->exits;

    if (exits_here(&exits) || !test->fault)
        return exits;
    exits = (struct expected_exits)EXITS(EXCEPTION_NMI, MINIMAL, 1);
    if (!exception_exits(FAULT_VECTOR(test->fault)))
        exits.count = 0;
    return exits;
}

static const char *wrong_end(const struct instruction_test *test, const struct run *run)
{
    if (!test->fault)
        return ran_to_end(run) ? NULL : "did not run to its end";
    if (run->vector != FAULT_VECTOR(test->fault))
        return "not the promised exception";
    if (run->error != test->error)
        return "not the promised error code";
    if (run->rip != test->fault_rip)
        return "exception at another instruction";
    return NULL;
}

static void check_behaviour(const struct instruction_test *test, const struct run *run)
{
    const char *wrong = wrong_end(test, run);

    if (!wrong && test->check)
        wrong = test->check(run);
    if (ok(!wrong, "%s, %s", test->name, mode_name(run->mode)))
        return;
    note("%s: vector %lu error %lx rip +%lx rflags %lx cr2 %lx dr6 %lx", wrong, run->vector,
         run->error, run->rip, run->rflags, run->cr2, run->dr6);
    note("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rsp %lx", run->gpr[RAX], run->gpr[RBX],
         run->gpr[RCX], run->gpr[RDX], run->gpr[RSI], run->gpr[RDI], run->gpr[RSP]);
}

static void check_exits(const struct expected_exits *exits, const struct run *run,
                        const char *name)
{
    u32 promised = exits_here(exits) ? exits->count : 0;
    bool right = run->reason_exits == promised && run->all_exits == promised &&
                 (!promised || run->reason_cycles);

    if (!count_ok(right, "%s, %s", name, mode_name(run->mode)))
        note("reason %u: %u exits promised, %u counted, %u of all reasons, %lu cycles",
             exits->reason, promised, run->reason_exits, run->all_exits, run->reason_cycles);
}

static void run_test(const struct instruction_test *test, enum mode mode)
{
    struct expected_exits exits = expected(test);
    struct run r = {
        .mode = mode,
        .code = test->code,
        .rflags = test->rflags,
        .reason = exits.reason,
        .gpr = {[RAX] = test->rax, [RCX] = test->rcx, [RDX] = test->rdx, [RBX] = test->rbx,
                [RSI] = test->rsi, [RDI] = test->rdi},
    };

    if (test->available && !test->available()) {
        skip("this CPU has not got it", "%s, %s", test->name, mode_name(mode));
        count_skip("this CPU has not got it", "%s, %s", test->name, mode_name(mode));
        return;
    }
    if (test->prepare)
        test->prepare(&r);
    run(&r);
    check_behaviour(test, &r);
    if (test->restore)
        test->restore();
    if (test->count_unstated)
        count_skip("not promised", "%s, %s", test->name, mode_name(mode));
    else
        check_exits(&exits, &r, test->name);
}

void run_tests(const struct instruction_test *tests, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        u32 modes = tests[i].modes ? tests[i].modes : IN(64);

        for (enum mode mode = 0; mode < MODES; mode++)
            if (modes & 1u << mode)
                run_test(&tests[i], mode);
    }
}
