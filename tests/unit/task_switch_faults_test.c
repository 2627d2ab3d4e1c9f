// Task switches that fault, in the old task or in the new one.
// link: tests/unit/task_switch_guest.c tests/unit/fake_vmcs*.c tests/unit/fake_events.c
#include "task_switch_guest.h"

#include <string.h>

#include "fake_events.h"

static void refused_in_the_old_task(void **state)
{
    (void)state;
    static const struct {
        unsigned source;
        u16 selector;
        u64 descriptor; /* of SEL_NEW */
        u8 vector;
        u16 error_code;
    } rows[] = {
        {JMP, 0, 0, VECTOR_GP, 0},
        {JMP, SEL_NEW | 4, 0, VECTOR_GP, SEL_NEW | 4},
        {JMP, SEL_BEYOND, 0, VECTOR_GP, SEL_BEYOND},
        {CALL, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x8B), VECTOR_GP, SEL_NEW},
        {IRET, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x89), VECTOR_TS, SEL_NEW},
        {JMP, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x09), VECTOR_NP, SEL_NEW},
        {JMP, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x66, 0x89), VECTOR_TS, SEL_NEW},
        {JMP, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x2A, 0x81), VECTOR_TS, SEL_NEW},
        {JMP, SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x92), VECTOR_GP, SEL_NEW},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        set_gdt(SEL_NEW, rows[i].descriptor);
        fake_events_reset();
        task_switch_by(rows[i].source, rows[i].selector, 7);
        assert_fault(rows[i].vector, rows[i].error_code);
        assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP);
        assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_OLD);
        assert_int_equal(ram32(OLD_TSS + 0x20), 0);
    }
}

/* An event that a task gate cannot deliver takes part in the rules for double faults. */
static void refused_exception(void **state)
{
    (void)state;
    set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x09));
    fake_set(IDT_VECTORING_INFO, 0x80000B0E);
    task_switch_by(GATE, SEL_NEW, 0);
    assert_fault(VECTOR_NP, SEL_NEW | 1); /* EXT */
    assert_int_equal(fake_vcpu.vectoring, 0x80000B0E);
    fake_set(IDT_VECTORING_INFO, 0x80000202); /* it blocks NMIs all the same */
    task_switch_by(GATE, SEL_NEW, 0);
    assert_fault(VECTOR_NP, SEL_NEW | 1);
    assert_int_equal(fake_vcpu.vectoring, 0x80000202);
    fake_set(IDT_VECTORING_INFO, 0x80000480); /* INT 80h */
    task_switch_by(GATE, SEL_NEW, 2);
    assert_fault(VECTOR_NP, SEL_NEW);
}

static void refused_in_the_new_task(void **state)
{
    (void)state;
    static const struct {
        enum segment segment;
        u16 selector;
        u8 vector;
        u16 error_code;
    } rows[] = {
        {CS, 0, VECTOR_TS, 0},
        {CS, SEL_DATA, VECTOR_TS, SEL_DATA},
        {CS, SEL_CODE | 3, VECTOR_TS, SEL_CODE},
        {CS, SEL_ABSENT_CODE, VECTOR_NP, SEL_ABSENT_CODE},
        {CS, SEL_BEYOND, VECTOR_TS, SEL_BEYOND},
        {SS, 0, VECTOR_TS, 0},
        {SS, SEL_USER_DATA, VECTOR_TS, SEL_USER_DATA & ~3},
        {SS, SEL_READ_ONLY, VECTOR_TS, SEL_READ_ONLY},
        {SS, SEL_LDT, VECTOR_TS, SEL_LDT},
        {SS, SEL_ABSENT_DATA, VECTOR_SS, SEL_ABSENT_DATA},
        {DS, SEL_ABSENT_DATA, VECTOR_NP, SEL_ABSENT_DATA},
        {GS, SEL_OLD, VECTOR_TS, SEL_OLD},
        {ES, SEL_DATA | 3, VECTOR_TS, SEL_DATA},
        {LDTR, SEL_DATA, VECTOR_TS, SEL_DATA},
        {LDTR, SEL_LDT | 4, VECTOR_TS, SEL_LDT | 4},
        {LDTR, SEL_BEYOND, VECTOR_TS, SEL_BEYOND},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(NULL);
        if (rows[i].segment == LDTR)
            new_tss.ldt = rows[i].selector;
        else
            new_tss.segment[rows[i].segment] = rows[i].selector;
        bool user = rows[i].segment == CS && (rows[i].selector & 3) == 3;
        if (user)
            new_tss.segment[SS] = SEL_USER_DATA;
        task_switch_by(JMP, SEL_NEW, 7);
        assert_fault(rows[i].vector, rows[i].error_code);
        assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_NEW);
        assert_int_equal(fake_get(GUEST_RIP), 0x1234);
        /* on the new stack if that is there, else on that of the handler's ring */
        bool stack = rows[i].segment != SS && rows[i].segment != LDTR;
        assert_int_equal(!(fake_get(GUEST_SS_ACCESS_RIGHTS) & AR_UNUSABLE), stack);
        assert_int_equal(fake_get(GUEST_SS_ACCESS_RIGHTS) >> 5 & 3, stack && !user ? 0 : 3);
    }
}

static void segments_beyond_the_ldt(void **state)
{
    (void)state;
    static const struct {
        u16 ldt, selector;
    } rows[] = {{0, 0x0C}, {SEL_LDT, 0x14}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 data = DESCRIPTOR(0, 0xFFFF, 0x0092);
        memcpy(&fake_ram[0x5000 + (rows[i].selector & ~7)], &data, 8);
        fake_set(GUEST_LDTR_BASE, 0x5000); /* of the old task */
        fake_set(GUEST_LDTR_LIMIT, 0xFFFF);
        new_tss.ldt = rows[i].ldt;
        new_tss.segment[DS] = rows[i].selector;
        set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x89));
        task_switch_by(JMP, SEL_NEW, 7);
        assert_fault(VECTOR_TS, rows[i].selector);
    }
}

static void old_tss_too_small(void **state)
{
    (void)state;
    static const struct {
        u32 rights, limit;
    } rows[] = {{0x8B, 0x5E}, {0x83, 0x28}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_set(GUEST_TR_ACCESS_RIGHTS, rows[i].rights);
        fake_set(GUEST_TR_LIMIT, rows[i].limit);
        task_switch_by(JMP, SEL_NEW, 7);
        assert_fault(VECTOR_TS, SEL_OLD);
        assert_int_equal(rights_byte(SEL_NEW), 0x89);
    }
    setup(NULL);
    fake_set(GUEST_TR_LIMIT, 0x5F); /* the last that is saved is GS */
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
}

static void eip_beyond_the_limit(void **state)
{
    (void)state;
    set_gdt(SEL_CODE, DESCRIPTOR(0, 0x1234, 0x409A));
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    setup(NULL);
    set_gdt(SEL_CODE, DESCRIPTOR(0, 0x1233, 0x409A));
    task_switch_by(JMP, SEL_NEW, 7);
    assert_fault(VECTOR_GP, 0);
}

/* A page missing under the new TSS is found before anything has changed. */
static void page_fault_changes_nothing(void **state)
{
    (void)state;
    u32 entry = 0x87;
    memcpy(&fake_ram[0xA000], &entry, 4);
    fake_set(GUEST_CR0, fake_get(GUEST_CR0) | CR0_PG);
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_PSE);
    fake_set(GUEST_CR3, 0xA000);
    static const u32 rights[] = {0x89, 0x81};
    for (unsigned i = 0; i < ARRAY_SIZE(rights); i++) {
        set_gdt(SEL_NEW, DESCRIPTOR(0x3FFFF0, 0x67, rights[i]));
        task_switch_by(CALL, SEL_NEW, 7);
        assert_fault(VECTOR_PF, 0);
        assert_int_equal(fake_event.address, 0x400000);
        assert_int_equal(rights_byte(SEL_NEW), rights[i]);
        assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_OLD);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(refused_in_the_old_task),    TEST(refused_exception),
        TEST(refused_in_the_new_task),    TEST(eip_beyond_the_limit),
        TEST(page_fault_changes_nothing), TEST(segments_beyond_the_ldt),
        TEST(old_tss_too_small),
    };
    return cmocka_run_group_tests_name("Task switches that fault", tests, NULL, NULL);
}
