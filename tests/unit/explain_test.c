// From the machine's dump to sentences: what goes in comes out, and no dump that is not whole is
// explained.
// link: tests/unit/fake_machine.c tests/unit/fake_vmcs*.c tests/unit/one_exit.c
#include "explain.h"
#include "one_exit.h"

#include <stdlib.h>
#include <string.h>

#include "exits/entry.h"
#include "names.h"
#include "recorded_caps.h"
#include "x86/msr.h"

static struct dump dump;
static char *sentences;

static void machine(u32 word, u64 qualification)
{
    start(word, qualification, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(recorded_machines); i++)
        if (!strcmp(recorded_machines[i].name, "Bochs 2.7, tigerlake"))
            for (unsigned m = 0; m < RECORDED_MSRS; m++)
                if (!(recorded_machines[i].missing >> m & 1))
                    fake_msr(RECORDED_FIRST + m, recorded_machines[i].msr[m]);
    fake_vcpu.exit_reason = word;
}

/* Hands over what the machine printed, line by line: what became of the last of them. */
static enum dump_state read_console(const char *console)
{
    enum dump_state last = DUMP_NONE;
    char line[128];
    for (const char *end; (end = strchr(console, '\n')); console = end + 1) {
        size_t length = (size_t)(end - console);
        if (length >= sizeof(line))
            fail_msg("a line of %zu columns", length);
        memcpy(line, console, length);
        line[length] = '\0';
        last = dump_line(&dump, line);
        if (last == DUMP_CUT)
            break;
    }
    return last;
}

static const char *explained(void)
{
    size_t size;
    free(sentences);
    if (read_console(fake_output) != DUMP_WHOLE)
        fail_msg("no whole dump: %s", fake_output);
    tell_to = open_memstream(&sentences, &size);
    explain_dump(&dump);
    fclose(tell_to);
    return sentences;
}

static void assert_says(const char *sentence)
{
    if (!strstr(explained(), sentence))
        fail_msg("nothing is said of '%s' but: %s", sentence, sentences);
}

static const u32 guest_state = EXIT_ENTRY_FAIL_GUEST_STATE | (u32)EXIT_REASON_ENTRY_FAILURE;
static const u32 msr_load = EXIT_ENTRY_FAIL_MSR_LOAD | (u32)EXIT_REASON_ENTRY_FAILURE;

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    machine(guest_state, 0);
    for (unsigned i = 0; i < GPRS; i++)
        fake_vcpu.gpr[i] = i * 0x0123456789ABCDEFull;
    dump_failed_exit(&fake_vcpu);
    assert_int_equal(read_console(fake_output), DUMP_WHOLE);
    for (u32 field = 0; field < DUMP_FIELDS; field += 2) {
        assert_int_equal(dump.has_field[field], fake_legal_encoding(field));
        if (dump.has_field[field])
            assert_int_equal(dump.field[field], fake_get(field));
    }
    for (unsigned i = 0; i < GPRS; i++)
        assert_int_equal(dump.gpr[i], i == RSP ? FAKE_RSP : fake_vcpu.gpr[i]);
    assert_int_equal(dump.msr[IA32_VMX_MISC - DUMP_MSR_FIRST], fake_capabilities.misc);
    assert_says("explain: RDI                                 07f6e5d4c3b2a189\n");
    assert_says("explain: GUEST_RIP                           0000000000007000\n");
    assert_says("explain: field 4 "); /* that none knows */
}

static void no_line_is_wider_than_a_screen(void **state)
{
    (void)state;
    machine(guest_state, 0);
    for (u32 field = 0; field < DUMP_FIELDS; field += 2)
        if (fake_legal_encoding(field))
            fake_set(field, ~0ull);
    dump_failed_exit(&fake_vcpu);
    for (const char *line = fake_output; *line; line = strchr(line, '\n') + 1)
        if (!strncmp(line, "tally: dump ", 12))
            assert_true(strchr(line, '\n') - line < 80);
    assert_int_equal(read_console(fake_output), DUMP_WHOLE);
}

static void a_dump_that_is_not_whole_is_not_explained(void **state)
{
    (void)state;
    static char console[sizeof(fake_output)];
    machine(guest_state, 0);
    dump_failed_exit(&fake_vcpu);
    const char *body = strstr(fake_output, "begin 1 exit\n") + strlen("begin 1 exit\n");

    strcpy(console, fake_output); /* without a line */
    char *line = console + (body - fake_output);
    memmove(line, strchr(line, '\n') + 1, strlen(strchr(line, '\n')));
    assert_int_equal(read_console(console), DUMP_CUT);

    strcpy(console, fake_output); /* without its beginning */
    memmove(console, console + (body - fake_output), strlen(body) + 1);
    assert_int_equal(read_console(console), DUMP_CUT);

    strcpy(console, fake_output); /* a guest's word in between */
    memcpy(console + (body - fake_output) + 30, "hello", 5);
    assert_int_equal(read_console(console), DUMP_CUT);

    strcpy(console, fake_output); /* another digit */
    line = strstr(console, "dump end ") + strlen("dump end ");
    *line = *line == '1' ? '2' : '1';
    assert_int_equal(read_console(console), DUMP_CUT);

    strcpy(console, fake_output); /* of a Tally to come */
    memcpy(strstr(console, "begin 1"), "begin 9", 7);
    *strstr(console, "tally: dump m") = '\0';
    assert_int_equal(read_console(console), DUMP_VERSION);

    assert_int_equal(read_console("tally: dump begin 1 exit\ntally: dump v6800 1\n"), DUMP_MORE);
    assert_true(dump_is_open());
    assert_int_equal(read_console("tally: dump begin 1 exit\n"), DUMP_CUT); /* begins again */
    assert_int_equal(dump_line(&dump, "tally: dump end 0"), DUMP_WHOLE);
    assert_int_equal(read_console(fake_output), DUMP_WHOLE);
    assert_false(dump_is_open());
}

/* A guest writes to the console, too. */
static void nothing_in_a_line_does_harm(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "tally: dump ",
        "tally: dump",
        "tally: dump end",
        "tally: dump end 0",
        "tally: dump q0 1",
        "tally: dump v",
        "tally: dump v8000 1",
        "tally: dump vffffffffffffffff 1 1 1",
        "tally: dump g",
        "tally: dump g10 0",
        "tally: dump gf 0 0",
        "tally: dump l2 0",
        "tally: dump m0 0",
        "tally: dump m49f 0 0 0",
        "tally: dump 11111111111111111 0",
        "tally: dump v0 -1",
        "tally: dump i80000008",
        "tally: dump begin",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        dump_line(&dump, lines[i]);
        dump_line(&dump, "tally: dump begin 1 exit");
        dump_line(&dump, lines[i]);
        bool harmless = strncmp(lines[i], "tally: dump ", 12) != 0 || !lines[i][12];
        assert_int_equal(dump_line(&dump, "tally: dump end 0"), harmless ? DUMP_WHOLE : DUMP_CUT);
    }
}

static void the_rule_is_named(void **state)
{
    (void)state;
    machine(guest_state, 4);
    fake_set(VMCS_LINK_POINTER, 0x1000);
    dump_failed_exit(&fake_vcpu);
    assert_says("explain: exit reason 33, qualification 4: the VMCS link pointer\n");
    assert_says("explain: broken rule: without VMCS shadowing the link pointer must be all ones: "
                "VMCS_LINK_POINTER is 1000\n");
    machine(EXIT_ENTRY_FAIL_MACHINE_CHECK | (u32)EXIT_REASON_ENTRY_FAILURE, 0);
    dump_failed_exit(&fake_vcpu);
    assert_says("explain: no rule is broken that is known here\n");

    static const char *const meanings[] = {"no further information", "no further information",
                                           "loading the PDPTEs",
                                           "injecting an NMI under blocking by STI"};
    for (unsigned i = 0; i < ARRAY_SIZE(meanings); i++) {
        machine(guest_state, i);
        dump_failed_exit(&fake_vcpu);
        assert_says(meanings[i]);
    }

    machine(0, 0);
    fake_set(VM_INSTRUCTION_ERROR, 7);
    fake_set(CR3_TARGET_COUNT, 300);
    dump_failed_instruction(&fake_vcpu);
    assert_says("explain: VM-instruction error 7: VM entry with invalid control field(s)\n");
    assert_says(": CR3_TARGET_COUNT is 12c\n");
}

static void the_msr_is_named(void **state)
{
    (void)state;
    static const struct {
        u64 entry[2];
        const char *said;
    } entries[] = {
        {{IA32_FS_BASE, 0},
         "the bases of FS and GS cannot be loaded from a list: MSR c0000100 is 0"},
        {{0x100000277, 6}, "bits 63:32 of an entry's first half must be 0: MSR 100000277 is 6"},
        {{X2APIC_EOI, 0}, "registers of the local APIC cannot be loaded: MSR 80b is 0"},
        {{IA32_SMBASE, 0}, "the MSRs of SMM cannot be loaded outside it: MSR 9e is 0"},
        {{IA32_SMM_MONITOR_CTL, 0}, "the MSRs of SMM cannot be loaded outside it: MSR 9b is 0"},
        {{IA32_GS_BASE, 0},
         "the bases of FS and GS cannot be loaded from a list: MSR c0000101 is 0"},
        {{IA32_PAT, 2}, "the value must be one that WRMSR would take: MSR 277 is 2"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
        machine(msr_load, 2);
        fake_set(VM_ENTRY_MSR_LOAD_ADDR, 0x3000);
        fake_set(VM_ENTRY_MSR_LOAD_COUNT, 2);
        memcpy(&fake_ram[0x3010], entries[i].entry, 16);
        dump_failed_exit(&fake_vcpu);
        assert_says("explain: exit reason 34, qualification 2: the number of the entry");
        assert_says(entries[i].said);
    }
    static const u64 beyond[] = {0, 3}; /* entries that there are not */
    for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
        machine(msr_load, beyond[i]);
        fake_set(VM_ENTRY_MSR_LOAD_ADDR, 0x3000);
        fake_set(VM_ENTRY_MSR_LOAD_COUNT, 2);
        dump_failed_exit(&fake_vcpu);
        assert_null(strstr(explained(), "broken rule"));
    }
}

static void capabilities_are_named(void **state)
{
    (void)state;
    machine(0, 0);
    dump_capabilities(&fake_vcpu.controls);
    assert_says("explain: caps:   used      7  unrestricted guest\n");
    assert_says("explain: caps:   unused   21  use TPR shadow\n");
    assert_says("explain: caps:   lacking  26  enable user wait and pause\n");
    assert_says("explain: caps:   has      17  pages of 1 GiB\n");
    assert_null(strstr(sentences, "GUEST_RIP"));
}

static void names_are_the_manual_s(void **state)
{
    (void)state;
    assert_string_equal(vmcs_field_name(GUEST_PHYSICAL_ADDRESS), "GUEST_PHYSICAL_ADDRESS");
    assert_string_equal(vmcs_field_name(HOST_RIP), "HOST_RIP");
    assert_null(vmcs_field_name(0x7FFE));
    assert_string_equal(vm_instruction_error_name(1000), "unknown");
    assert_string_equal(register_name(8), "R8");
}

static const char *of_triple_fault(u64 cr0, u64 cs, unsigned cpl, u64 rflags)
{
    char line[160];
    size_t size;
    free(sentences);
    tell_to = open_memstream(&sentences, &size);
    snprintf(
        line, sizeof(line),
        "tally:   cr0 %lx  cr3 1000  cr4 20  efer 0  cs %lx  ss 10  cpl %u  rsp ffff  rflags %lx",
        cr0, cs, cpl, rflags);
    explain_triple_fault(line);
    fclose(tell_to);
    return sentences;
}

/* What Bochs 2.7 makes of a guest between real and protected mode. */
static void a_cs_that_is_not_the_cpl_is_named(void **state)
{
    (void)state;
    assert_string_equal(of_triple_fault(0x10, 0xF003, 0, 2), "");      /* real mode */
    assert_string_equal(of_triple_fault(0x11, 8, 0, 2), "");           /* as it should be */
    assert_string_equal(of_triple_fault(0x11, 0x1B, 3, 2), "");        /* in ring 3, too */
    assert_string_equal(of_triple_fault(0x11, 0x7C3, 0, 0x20002), ""); /* virtual-8086 */
    assert_non_null(strstr(of_triple_fault(0x11, 0x7C3, 0, 2), "explain: CS & 3 is not the CPL"));
    explain_triple_fault("tally:   cr0 11  cr3");
    explain_triple_fault("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(no_line_is_wider_than_a_screen),
        cmocka_unit_test(a_dump_that_is_not_whole_is_not_explained),
        cmocka_unit_test(nothing_in_a_line_does_harm),
        cmocka_unit_test(the_rule_is_named),
        cmocka_unit_test(the_msr_is_named),
        cmocka_unit_test(capabilities_are_named),
        cmocka_unit_test(names_are_the_manual_s),
        cmocka_unit_test(a_cs_that_is_not_the_cpl_is_named),
    };
    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
