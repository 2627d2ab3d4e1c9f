// The checker of VM-entry rules: legal states break none, each broken rule is named.
// link: tests/unit/fake_vmcs*.c
#include "fake_vmcs.h"

#include <stdio.h>
#include <string.h>

#include "vmx/capabilities.h"
#include "names.h"
#include "entry_checks.h"

static struct {
    const char *sentence;
    enum vmcs_field field;
} broken[32];
static unsigned reports;

static void record(const char *sentence, enum vmcs_field field, u64 value)
{
    assert_int_equal(value, fake_get(field));
    if (reports < ARRAY_SIZE(broken)) {
        broken[reports].sentence = sentence;
        broken[reports].field = field;
    }
    reports++;
}

static unsigned check(void)
{
    reports = 0;
    unsigned result = entry_checks(&fake_capabilities, record);
    assert_int_equal(result, reports);
    return result;
}

static void legal_states_break_no_rule(void **state)
{
    (void)state;
    for (enum fake_mode mode = 0; mode < FAKE_MODES; mode++) {
        fake_reset();
        fake_guest(mode);
        if (check())
            fail_msg("mode %u: %s (%s)", mode, broken[0].sentence,
                     vmcs_field_name(broken[0].field));
    }
}

/* Each row breaks one rule of a legal 64-bit, 32-bit, 16-bit or v8086 guest. */
struct row {
    enum fake_mode mode;
    enum vmcs_field field;
    u64 value;
    const char *sentence;     /* a part of it */
    enum vmcs_field at_fault; /* 0: the same field */
    struct {
        enum vmcs_field field;
        u64 value;
    } also; /* a second field to set first */
};

#define ROW(guest, broken_field, broken_value, text, ...)                                          \
    {                                                                                              \
        .mode = GUEST_##guest, .field = broken_field, .value = broken_value, .sentence = text,     \
        ##__VA_ARGS__                                                                              \
    }

#define PROC_LEGAL                                                                                 \
    (0x04006172 | (u32)PROC_USE_IO_BITMAPS | (u32)PROC_USE_MSR_BITMAPS |                           \
     (u32)PROC_ACTIVATE_SECONDARY)
#define PROC2_LEGAL                                                                                \
    ((u32)PROC2_ENABLE_EPT | (u32)PROC2_UNRESTRICTED_GUEST | (u32)PROC2_ENABLE_VPID |              \
     (u32)PROC2_ENABLE_RDTSCP | (u32)PROC2_ENABLE_INVPCID)
#define EXIT_LEGAL 0x3F6FFF
#define ENTRY_LEGAL 0xD3FF
#define EVENT(type, vector) (INTERRUPTION_VALID | (type) << 8 | (vector))
#define NOT_CANONICAL 0x0000800000000000ull
#define TOO_WIDE (1ull << 40)

static const struct row rows[] = {
    /* Controls */
    ROW(64BIT, PIN_BASED_CONTROLS, 0x28, "fixed to 1 must be 1"),
    ROW(64BIT, PIN_BASED_CONTROLS, 0xBE, "allowed may be 1"),
    ROW(64BIT, PIN_BASED_CONTROLS, 0x36, "virtual NMIs need NMI exiting"),
    ROW(64BIT, PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL & ~2u, "fixed to 1 must be 1"),
    ROW(64BIT, PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | 1u << 27, "allowed may be 1"),
    ROW(64BIT, PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | 1u << 22, "NMI-window exiting needs",
        .also = {PIN_BASED_CONTROLS, 0x1E}),
    ROW(64BIT, SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | 1u << 31, "allowed may be 1"),
    ROW(64BIT, SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL & ~2u, "need EPT"),
    ROW(64BIT, SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | 1u << 4, "need the TPR shadow"),
    ROW(64BIT, SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | 1u << 9,
        "needs external-interrupt exiting", .at_fault = PIN_BASED_CONTROLS,
        .also = {PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | (u32)PROC_USE_TPR_SHADOW}),
    ROW(64BIT, SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | 0x11, "cannot both be virtualized",
        .also = {PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | (u32)PROC_USE_TPR_SHADOW}),
    ROW(64BIT, TPR_THRESHOLD, 0x10, "TPR threshold",
        .also = {PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | (u32)PROC_USE_TPR_SHADOW}),
    ROW(64BIT, VM_EXIT_CONTROLS, EXIT_LEGAL & ~1u, "fixed to 1 must be 1"),
    ROW(64BIT, VM_EXIT_CONTROLS, EXIT_LEGAL | 1u << 28, "allowed may be 1"),
    ROW(64BIT, VM_EXIT_CONTROLS, EXIT_LEGAL | 1u << 22, "saving the preemption timer"),
    ROW(64BIT, VM_ENTRY_CONTROLS, ENTRY_LEGAL & ~1u, "fixed to 1 must be 1"),
    ROW(64BIT, VM_ENTRY_CONTROLS, ENTRY_LEGAL | 1u << 20, "allowed may be 1"),
    ROW(64BIT, VM_ENTRY_CONTROLS, ENTRY_LEGAL | 1u << 10, "outside SMM"),
    ROW(64BIT, VM_ENTRY_CONTROLS, ENTRY_LEGAL | 1u << 11, "outside SMM"),
    ROW(64BIT, CR3_TARGET_COUNT, 5, "CR3-target"),
    ROW(64BIT, IO_BITMAP_A, 0x101001, "4-KByte aligned"),
    ROW(64BIT, IO_BITMAP_B, TOO_WIDE, "physical width"),
    ROW(64BIT, MSR_BITMAP, 0x103800, "4-KByte aligned"),
    ROW(64BIT, VIRTUAL_APIC_ADDRESS, 8, "4-KByte aligned",
        .also = {PRIMARY_PROCBASED_CONTROLS, PROC_LEGAL | (u32)PROC_USE_TPR_SHADOW}),
    ROW(64BIT, APIC_ACCESS_ADDRESS, 8, "4-KByte aligned",
        .also = {SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | 1}),
    ROW(64BIT, VIRTUAL_PROCESSOR_ID, 0, "VPID"),
    ROW(64BIT, VM_FUNCTION_CONTROLS, 2, "functions",
        .also = {SECONDARY_PROCBASED_CONTROLS, PROC2_LEGAL | (u32)PROC2_ENABLE_VMFUNC}),
    ROW(64BIT, EPT_POINTER, 0x100018 | 1, "EPT memory type"),
    ROW(64BIT, EPT_POINTER, 0x100000 | 6, "page-walk length"),
    ROW(64BIT, EPT_POINTER, 0x100000 | 6 | 4 << 3, "page-walk length"),
    ROW(64BIT, EPT_POINTER, 0x10001E | 1 << 9, "bits 11:7"),
    ROW(64BIT, EPT_POINTER, 0x10001E | TOO_WIDE, "physical width"),
    ROW(64BIT, VM_ENTRY_MSR_LOAD_ADDR, 0x1008, "MSR area", .also = {VM_ENTRY_MSR_LOAD_COUNT, 1}),
    ROW(64BIT, VM_EXIT_MSR_STORE_ADDR, TOO_WIDE - 16, "MSR area",
        .also = {VM_EXIT_MSR_STORE_COUNT, 2}),
    ROW(64BIT, VM_EXIT_MSR_LOAD_ADDR, 0x1004, "MSR area", .also = {VM_EXIT_MSR_LOAD_COUNT, 1}),
    ROW(64BIT, VM_ENTRY_MSR_LOAD_COUNT, 513, "longer than"),
    /* Event injection */
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(1, 32), "type of an injected event"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(7, 0), "type of an injected event"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(2, 3), "NMI must have vector 2"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 32), "vector of at most 31"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 6) | 1 << 12, "bits 30:12"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 6) | 1 << 11, "has no error code"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 13), "must deliver an error code"),
    ROW(64BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(2, 2) | 1 << 11, "only hardware exceptions"),
    ROW(16BIT, VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 13) | 1 << 11, "real mode"),
    ROW(64BIT, VM_ENTRY_EXCEPTION_ERROR_CODE, 0x10000, "bits 31:16 of the error code",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 13) | 1 << 11}),
    ROW(64BIT, VM_ENTRY_INSTRUCTION_LENGTH, 0, "instruction length",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(4, 0x80)}),
    ROW(64BIT, VM_ENTRY_INSTRUCTION_LENGTH, 16, "instruction length",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(6, 3)}),
    /* Host state */
    ROW(64BIT, HOST_CR0, 0x80010011, "CR0 must have"),
    ROW(64BIT, HOST_CR4, 0x20, "CR4 must have"),
    ROW(64BIT, HOST_CR4, 0x2000, "CR4.PAE"),
    ROW(64BIT, HOST_CR3, TOO_WIDE, "CR3 must be within"),
    ROW(64BIT, HOST_IA32_PAT, 2, "PAT"),
    ROW(64BIT, HOST_IA32_EFER, 0xD02, "reserved bits of EFER"),
    ROW(64BIT, HOST_IA32_EFER, 0x900, "EFER.LMA and EFER.LME"),
    ROW(64BIT, VM_EXIT_CONTROLS, EXIT_LEGAL & ~0x200u, "host address-space size",
        .also = {HOST_IA32_EFER, 0x800}),
    ROW(64BIT, HOST_CS_SELECTOR, 0, "CS must not be null"),
    ROW(64BIT, HOST_TR_SELECTOR, 0, "TR must not be null"),
    ROW(64BIT, HOST_SS_SELECTOR, 0x13, "RPL and TI"),
    ROW(64BIT, HOST_GS_SELECTOR, 4, "RPL and TI"),
    ROW(64BIT, HOST_FS_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, HOST_TR_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, HOST_GDTR_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, HOST_IA32_SYSENTER_ESP, NOT_CANONICAL, "canonical"),
    ROW(64BIT, HOST_RIP, NOT_CANONICAL, "canonical"),
    /* Guest registers */
    ROW(64BIT, GUEST_CR0, 0x80010011, "CR0 must have"),
    ROW(64BIT, GUEST_CR0, 0x80010031 | TOO_WIDE, "CR0 must have"),
    ROW(16BIT, GUEST_CR0, 0x80000030, "CR0.PG needs CR0.PE"),
    ROW(64BIT, GUEST_CR4, 0x20, "CR4 must have"),
    ROW(64BIT, GUEST_CR4, 0x80002020, "CR4 must have"),
    ROW(64BIT, GUEST_CR4, 0x2000, "IA-32e mode needs CR4.PAE"),
    ROW(64BIT, GUEST_CR0, 0x31, "IA-32e mode needs CR0.PG"),
    ROW(32BIT, GUEST_CR4, 0x22000, "CR4.PCIDE"),
    ROW(64BIT, GUEST_CR3, TOO_WIDE, "CR3 must be within"),
    ROW(64BIT, GUEST_DR7, 0x100000400, "DR7"),
    ROW(64BIT, GUEST_IA32_DEBUGCTL, 0x10, "IA32_DEBUGCTL"),
    ROW(64BIT, GUEST_IA32_SYSENTER_ESP, NOT_CANONICAL, "canonical"),
    ROW(64BIT, GUEST_IA32_SYSENTER_EIP, NOT_CANONICAL, "canonical"),
    ROW(64BIT, GUEST_IA32_PAT, 0x0300, "PAT"),
    ROW(64BIT, GUEST_IA32_EFER, 0xD02, "reserved bits of EFER"),
    ROW(64BIT, GUEST_IA32_EFER, 0x900, "IA-32e mode guest"),
    ROW(64BIT, GUEST_IA32_EFER, 0xC00, "must be equal while paging is on"),
    ROW(64BIT, GUEST_RIP, 0x0001000000000000, "bits 63:N of RIP"),
    ROW(32BIT, GUEST_RIP, 0x100000000, "bits 63:32 of RIP"),
    ROW(64BIT, GUEST_RFLAGS, 0, "RFLAGS must be 1"),
    ROW(64BIT, GUEST_RFLAGS, 0x8002, "RFLAGS must be 1"),
    ROW(64BIT, GUEST_RFLAGS, 0x20002, "RFLAGS.VM must be 0"),
    ROW(64BIT, GUEST_RFLAGS, 2, "needs RFLAGS.IF",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(0, 32)}),
    ROW(64BIT, VMCS_LINK_POINTER, 0, "link pointer"),
    ROW(PAE, GUEST_PDPTE2, 3, "PDPTE"),
    /* Segments */
    ROW(64BIT, GUEST_TR_ACCESS_RIGHTS, 0x1008B, "TR must be usable"),
    ROW(64BIT, GUEST_TR_ACCESS_RIGHTS, 0x83, "busy TSS"),
    ROW(32BIT, GUEST_TR_ACCESS_RIGHTS, 0x89, "busy TSS"),
    ROW(64BIT, GUEST_TR_ACCESS_RIGHTS, 0x9B, "S must be 0"),
    ROW(64BIT, GUEST_TR_ACCESS_RIGHTS, 0x0B, "present"),
    ROW(64BIT, GUEST_TR_SELECTOR, 0x2C, "TI must be 0"),
    ROW(64BIT, GUEST_TR_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, GUEST_LDTR_ACCESS_RIGHTS, 0x83, "type 2"),
    ROW(64BIT, GUEST_LDTR_SELECTOR, 4, "TI must be 0", .also = {GUEST_LDTR_ACCESS_RIGHTS, 0x82}),
    ROW(64BIT, GUEST_LDTR_BASE, NOT_CANONICAL, "canonical",
        .also = {GUEST_LDTR_ACCESS_RIGHTS, 0x82}),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA09A, "CS must be"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xE09B, "D=0"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA0FB, "non-conforming"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA0FF, "a conforming CS"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA08B, "S must be 1"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA01B, "present"),
    ROW(64BIT, GUEST_CS_ACCESS_RIGHTS, 0xA19B, "reserved bits of the access"),
    ROW(16BIT, GUEST_CS_ACCESS_RIGHTS, 0xF3, "type 3 must have DPL 0"),
    ROW(64BIT, GUEST_CS_BASE, 0x100000000, "bits 63:32"),
    ROW(64BIT, GUEST_CS_LIMIT, 0xFFFFF000, "G must be 0", .at_fault = GUEST_CS_ACCESS_RIGHTS),
    ROW(64BIT, GUEST_DS_ACCESS_RIGHTS, 0x4093, "G must be 1"),
    ROW(64BIT, GUEST_SS_ACCESS_RIGHTS, 0xC091, "SS must be"),
    ROW(64BIT, GUEST_SS_BASE, 0x100000000, "bits 63:32"),
    ROW(16BIT, GUEST_SS_ACCESS_RIGHTS, 0xF3, "SS must have DPL 0",
        .also = {GUEST_CS_ACCESS_RIGHTS, 0xFB}),
    ROW(64BIT, GUEST_DS_ACCESS_RIGHTS, 0xC092, "accessed"),
    ROW(64BIT, GUEST_ES_ACCESS_RIGHTS, 0xC099, "readable"),
    ROW(64BIT, GUEST_FS_ACCESS_RIGHTS, 0x2C093, "reserved bits of the access"),
    ROW(64BIT, GUEST_FS_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, GUEST_ES_BASE, 0x100000000, "bits 63:32"),
    ROW(64BIT, GUEST_GDTR_BASE, NOT_CANONICAL, "canonical"),
    ROW(64BIT, GUEST_IDTR_LIMIT, 0x10000, "limit"),
    ROW(V8086, GUEST_DS_BASE, 0x10, "16 times"),
    ROW(V8086, GUEST_CS_LIMIT, 0xFFFFF, "FFFFH"),
    ROW(V8086, GUEST_SS_ACCESS_RIGHTS, 0x93, "F3H"),
    ROW(V8086, GUEST_CR0, 0x30, "RFLAGS.VM must be 0", .at_fault = GUEST_RFLAGS),
    /* Without unrestricted guest */
    ROW(64BIT, GUEST_SS_SELECTOR, 0x13, "same RPL", .also = {SECONDARY_PROCBASED_CONTROLS, 0x2A}),
    ROW(64BIT, GUEST_DS_SELECTOR, 0x13, "at least its RPL", .at_fault = GUEST_DS_ACCESS_RIGHTS,
        .also = {SECONDARY_PROCBASED_CONTROLS, 0x2A}),
    /* Activity, interruptibility, pending debug exceptions */
    ROW(64BIT, GUEST_ACTIVITY_STATE, 4, "support the activity state"),
    ROW(64BIT_USER, GUEST_ACTIVITY_STATE, 1, "SS with DPL 0"),
    ROW(64BIT, GUEST_ACTIVITY_STATE, 3, "needs the activity state active",
        .also = {GUEST_INTERRUPTIBILITY, 2}),
    ROW(64BIT, GUEST_ACTIVITY_STATE, 1, "activity state HLT",
        .at_fault = VM_ENTRY_INTERRUPTION_INFO, .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 6)}),
    ROW(64BIT, GUEST_ACTIVITY_STATE, 2, "activity state shutdown",
        .at_fault = VM_ENTRY_INTERRUPTION_INFO, .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 6)}),
    ROW(64BIT, GUEST_ACTIVITY_STATE, 3, "wait-for-SIPI", .at_fault = VM_ENTRY_INTERRUPTION_INFO,
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(2, 2)}),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 0x20, "bits 31:5"),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 3, "exclude each other", .also = {GUEST_RFLAGS, 0x202}),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 1, "by STI needs RFLAGS.IF"),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 4, "outside SMM"),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 2, "an NMI cannot",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(2, 2)}),
    ROW(64BIT, GUEST_INTERRUPTIBILITY, 8, "a virtual NMI cannot",
        .also = {VM_ENTRY_INTERRUPTION_INFO, EVENT(2, 2)}),
    ROW(64BIT, GUEST_PENDING_DEBUG_EXCEPTIONS, 0x10, "reserved bits"),
    ROW(64BIT, GUEST_PENDING_DEBUG_EXCEPTIONS, 0x4000, "BS must be 1",
        .also = {GUEST_INTERRUPTIBILITY, 2}),
    ROW(64BIT, GUEST_ACTIVITY_STATE, 1, "BS must be 1", .at_fault = GUEST_PENDING_DEBUG_EXCEPTIONS,
        .also = {GUEST_RFLAGS, 0x102}),
};

static void check_row(const struct row *row)
{
    fake_reset();
    fake_guest(row->mode);
    if (row->also.field)
        fake_set(row->also.field, row->also.value);
    fake_set(row->field, row->value);
    enum vmcs_field at_fault = row->at_fault ? row->at_fault : row->field;

    check();
    bool named = false;
    for (unsigned i = 0; i < reports && i < ARRAY_SIZE(broken); i++)
        named |= broken[i].field == at_fault && strstr(broken[i].sentence, row->sentence);
    if (!named)
        fail_msg("%s = %#llx is not found to break '%s'; %u reports, first '%s'",
                 vmcs_field_name(row->field), (unsigned long long)row->value, row->sentence,
                 reports, reports ? broken[0].sentence : "");
}

static void each_broken_rule_is_named(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        check_row(&rows[i]);
}

/* Cases that look wrong and are not. */
static void odd_but_legal_states_pass(void **state)
{
    (void)state;
    fake_reset();
    fake_set(GUEST_RIP, NOT_CANONICAL); /* the check is one bit wider than canonical */
    assert_int_equal(check(), 0);

    fake_reset();
    fake_set(GUEST_CR0, 0xE0010031); /* CD and NW are not checked */
    assert_int_equal(check(), 0);

    fake_reset(); /* an unusable segment is hardly checked */
    fake_set(GUEST_ES_ACCESS_RIGHTS, 0x1FFFF);
    fake_set(GUEST_ES_BASE, ~0ull);
    assert_int_equal(check(), 0);

    fake_reset(); /* a waking event may be injected in HLT */
    fake_set(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    fake_set(GUEST_RFLAGS, 0x202);
    fake_set(VM_ENTRY_INTERRUPTION_INFO, EVENT(0, 0x20));
    assert_int_equal(check(), 0);

    fake_reset(); /* #GP in real mode without an error code */
    fake_guest(GUEST_16BIT);
    fake_set(VM_ENTRY_INTERRUPTION_INFO, EVENT(3, 13));
    assert_int_equal(check(), 0);

    fake_reset(); /* stepping in the shadow of MOV SS */
    fake_set(GUEST_RFLAGS, 0x102);
    fake_set(GUEST_INTERRUPTIBILITY, 2);
    fake_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0x4000);
    assert_int_equal(check(), 0);

    fake_reset(); /* the 32-bit busy TSS of 16-bit kind, outside IA-32e mode */
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_TR_ACCESS_RIGHTS, 0x83);
    assert_int_equal(check(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_states_break_no_rule),
        cmocka_unit_test(each_broken_rule_is_named),
        cmocka_unit_test(odd_but_legal_states_pass),
    };
    return cmocka_run_group_tests_name("VM-entry rules", tests, NULL, NULL);
}
