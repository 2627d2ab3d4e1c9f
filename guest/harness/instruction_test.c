#include "harness/instruction_test.h"
#include "kernel/statistics.h"
#include "harness/tap.h"

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

static u32 exits_promised(const struct expected_exits *exits)
{
    return exits_here(exits) ? exits->count : 0;
}

static bool fault_exits(const struct instruction_test *test)
{
    return test->fault && exception_exits(FAULT_VECTOR(test->fault));
}

/*
 * An instruction that exits gets its fault from Tally; a fault that the CPU itself finds is an exit
 * of its own where exceptions are intercepted.
 */
static struct expected_exits expected(const struct instruction_test *test)
{
    struct expected_exits exits = test->exits;

    if (!exits_here(&exits) && !test->then.count && fault_exits(test))
        exits = (struct expected_exits)EXITS(EXCEPTION_NMI, MINIMAL, 1);
    return exits;
}

/* In the image of every fault; a #DB is one in some cases, and 16-bit frames have no such bit. SDM
 * vol. 3, 'Instruction-Breakpoint Exception Condition'. */
static bool lacks_resume_flag(const struct run *run)
{
    static const u32 no_faults =
        1u << VECTOR_DB | 1u << VECTOR_BP | 1u << VECTOR_OF | 1u << VECTOR_NMI;
    return run->mode != MODE_REAL && !(no_faults >> run->vector & 1) && !(run->rflags & RFLAGS_RF);
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
    if (lacks_resume_flag(run))
        return "RF is 0 in the image of a fault";
    return NULL;
}

static void check_behaviour(const struct instruction_test *test, const struct run *run)
{
    const char *wrong = wrong_end(test, run);
    bool passed;

    if (!wrong && test->check)
        wrong = test->check(run);
    if (test->tally_only)
        passed = tally_ok(!wrong, "%s, %s", test->name, mode_name(run->mode));
    else
        passed = ok(!wrong, "%s, %s", test->name, mode_name(run->mode));
    if (passed)
        return;
    note("%s: vector %lu error %lx rip +%lx rflags %lx cr2 %lx dr6 %lx", wrong, run->vector,
         run->error, run->rip, run->rflags, run->cr2, run->dr6);
    note("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rsp %lx", run->gpr[RAX], run->gpr[RBX],
         run->gpr[RCX], run->gpr[RDX], run->gpr[RSI], run->gpr[RDI], run->gpr[RSP]);
}

static bool exits_right(const struct instruction_test *test, const struct expected_exits *exits,
                        const struct run *run)
{
    u32 all_promised = exits_promised(exits) + exits_promised(&test->then);
    u32 promised = test->then.reason == exits->reason ? all_promised : exits_promised(exits);

    if (test->optional_control && !run->reason_exits)
        return run->all_exits == fault_exits(test);
    if (run->reason_exits != promised || (promised && !run->reason_cycles))
        return false;
    return test->others_exit || run->all_exits == all_promised;
}

static void check_exits(const struct instruction_test *test, const struct run *run)
{
    struct expected_exits exits = expected(test);

    if (test->count_unstated) {
        count_skip("not promised", "%s, %s", test->name, mode_name(run->mode));
        return;
    }
    if (!count_ok(exits_right(test, &exits, run), "%s, %s", test->name, mode_name(run->mode)))
        note("reason %u: %u exits promised, %u counted, %u of all reasons, %lu cycles",
             exits.reason, exits_promised(&exits), run->reason_exits, run->all_exits,
             run->reason_cycles);
}

static void skip_test(const struct instruction_test *test, enum mode mode)
{
    static const char why[] = "this CPU has not got it";

    skip(why, "%s, %s", test->name, mode_name(mode));
    count_skip(why, "%s, %s", test->name, mode_name(mode));
}

static void run_test(const struct instruction_test *test, enum mode mode)
{
    const struct run start = {
        .mode = mode,
        .code = test->code,
        .rflags = test->rflags,
        .reason = expected(test).reason,
        .gpr = {[RAX] = test->rax,
                [RCX] = test->rcx,
                [RDX] = test->rdx,
                [RBX] = test->rbx,
                [RSI] = test->rsi,
                [RDI] = test->rdi},
    };
    struct run r;

    if (test->available && !test->available()) {
        skip_test(test, mode);
        return;
    }
    if (test->tally_only && !under_tally()) {
        tally_ok(true, "%s, %s", test->name, mode_name(mode));
        count_ok(true, "%s, %s", test->name, mode_name(mode));
        return;
    }
    do {
        r = start;
        if (test->prepare)
            test->prepare(&r);
        run(&r);
    } while (test->again && test->again(&r));
    check_behaviour(test, &r);
    if (test->restore)
        test->restore();
    check_exits(test, &r);
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
