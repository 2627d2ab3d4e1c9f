#include "harness/tap.h"
#include "kernel/console.h"
#include "kernel/options.h"
#include "x86/instructions.h"
#include "kernel/statistics.h"
#include "tally.h"

static u32 tests, failures, skips;
static const char *family = "";
static struct {
    u32 tests, failures, skips, exits;
} before;

/* Exits so far, without those that the console's ports make. */
static u32 exits_of_tests(void)
{
    return under_tally() ? all_exits() - console_accesses() : 0;
}

void family_begin(const char *name)
{
    if (!*family)
        note("passed  failed  skipped     exits  family");
    family = name;
    before.tests = tests;
    before.failures = failures;
    before.skips = skips;
    before.exits = exits_of_tests();
}

void family_end(void)
{
    u32 failed = failures - before.failures, skipped = skips - before.skips;
    note("%6u  %6u  %7u  %8u  %s", tests - before.tests - failed - skipped, failed, skipped,
         under_tally() ? exits_of_tests() - before.exits - FAMILY_END_CPUIDS : 0, family);
}

static bool result(bool passed, const char *kind, const char *why_skipped, const char *format,
                   __builtin_va_list arguments)
{
    tests++;
    skips += why_skipped != NULL;
    if (!passed)
        failures++;
    else if (option_given("quiet"))
        return true;
    print("%s %u - %s%s: ", passed ? "ok" : "not ok", tests, kind, family);
    print_list(format, arguments);
    if (why_skipped)
        print(" # skip %s", why_skipped);
    print("\n");
    return passed;
}

/* The bodies differ only in these two. */
#define RESULT(passed, kind, why_skipped)                                                          \
    do {                                                                                           \
        __builtin_va_list arguments;                                                               \
                                                                                                   \
        __builtin_va_start(arguments, format);                                                     \
        result(passed, kind, why_skipped, format, arguments);                                      \
        __builtin_va_end(arguments);                                                               \
    } while (0)

static const char *without_tally(void)
{
    return under_tally() ? NULL : "runs bare";
}

bool ok(bool passed, const char *format, ...)
{
    RESULT(passed, "", NULL);
    return passed;
}

bool count_ok(bool passed, const char *format, ...)
{
    passed |= !under_tally();
    RESULT(passed, "count: ", without_tally());
    return passed;
}

bool tally_ok(bool passed, const char *format, ...)
{
    passed |= !under_tally();
    RESULT(passed, "tally: ", without_tally());
    return passed;
}

void skip(const char *why, const char *format, ...)
{
    RESULT(true, "", why);
}

void count_skip(const char *why, const char *format, ...)
{
    RESULT(true, "count: ", why);
}

void tally_skip(const char *why, const char *format, ...)
{
    RESULT(true, "tally: ", why);
}

void note(const char *format, ...)
{
    __builtin_va_list arguments;

    print("# ");
    __builtin_va_start(arguments, format);
    print_list(format, arguments);
    __builtin_va_end(arguments);
    print("\n");
}

_Noreturn static void end_run(enum exit_verdict verdict)
{
    console_drain();
    outl(EXIT_PORT, verdict);
    for (const char *s = "Shutdown"; *s; s++)
        outb(SHUTDOWN_PORT, (u8)*s);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void finish(void)
{
    print("1..%u\n", tests);
    note("%u passed, %u failed, %u skipped", tests - failures - skips, failures, skips);
    end_run(failures || !tests ? VERDICT_FAILED : VERDICT_PASSED);
}

void bail_out(const char *why, const struct trap_frame *frame)
{
    print("\nBail out! %s\n", why);
    if (frame)
        note("vector %lu error %lx rip %lx cs %lx rflags %lx rsp %lx cr2 %lx", frame->vector,
             frame->error, frame->rip, frame->cs, frame->rflags, frame->rsp, read_cr2());
    end_run(VERDICT_FAILED);
}
