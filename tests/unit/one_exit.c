#include "one_exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "entry_checks.h"

void start(u32 word, u64 qualification, unsigned length)
{
    fake_machine(PROFILE_ALL);
    fake_exit(word, qualification, length);
    fake_vcpu.exit_reason = ~0u; /* for dispatch_exit() to set */
}

void start_code(u32 reason, const char *code, unsigned length)
{
    start(reason, 0, length);
    memcpy(&fake_ram[FAKE_RIP], code, length);
}

u64 count_of(u32 reason)
{
    return fake_vcpu.stats->reason[reason < EXIT_REASONS ? reason : EXIT_REASONS].count;
}

static void rule_is_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    fail_msg("reason %#x leaves a state that cannot be entered: %s: %s is %#llx",
             fake_vcpu.exit_reason, sentence, vmcs_field_name(field), (unsigned long long)value);
}

void assert_can_enter(void)
{
    entry_checks(&fake_capabilities, rule_is_broken);
}

/* The reason's own handling is checked here. */
static void note_reason(void)
{
    const char *directory = getenv("REASONS");
    char path[4096];
    if (!directory)
        return;
    snprintf(path, sizeof(path), "%s/host", directory);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fprintf(file, "%u\n", fake_vcpu.exit_reason & (u32)EXIT_REASON_BASIC);
    fclose(file);
}

/* RF is 1 in the image of a fault. SDM vol. 3, 'Instruction-Breakpoint Exception Condition'. */
static void assert_resume_flag(u32 injected)
{
    u32 vector = injected & INTERRUPTION_VECTOR;
    bool exception =
        (injected & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT == TYPE_HARDWARE_EXCEPTION;
    if (exception && !(fake_get(IDT_VECTORING_INFO) >> 31) && vector != VECTOR_DB &&
        vector != VECTOR_MC)
        assert_true(fake_get(GUEST_RFLAGS) & RFLAGS_RF);
}

void assert_faulted(u32 injected)
{
    bool of_instruction = fake_get(VM_EXIT_REASON) > EXIT_NMI_WINDOW;
    if (fake_get(IDT_VECTORING_INFO) >> 31)
        of_instruction = false;
    assert_true(fake_dispatch());
    if (injected == INJECTED_GP && of_instruction)
        assert_int_equal(fake_get(VM_ENTRY_EXCEPTION_ERROR_CODE), 0);
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), injected);
    assert_resume_flag(injected);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    assert_can_enter();
}

void assert_advanced(unsigned length)
{
    assert_true(fake_dispatch());
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP + length);
    assert_int_equal(fake_get(VM_ENTRY_INTERRUPTION_INFO), 0);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    assert_can_enter();
}

void assert_resumed(void)
{
    assert_advanced(0);
}

void assert_stopped(const char *said)
{
    assert_false(fake_dispatch());
    note_reason();
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
    assert_int_equal(count_of(fake_vcpu.exit_reason & EXIT_REASON_BASIC), 1);
    if (!strstr(fake_output, said))
        fail_msg("nothing is said of '%s' but: %s", said, fake_output);
}
