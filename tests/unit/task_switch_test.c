// link: tests/unit/fake_vmcs*.c tests/unit/fake_events.c hv/exits/task_switch.c
// link: hv/exits/task_state.c hv/exits/task_segments.c hv/vmx/guest_memory.c hv/vmx/guest_paging.c
// link: hv/vmx/segments.c hv/vmx/entry_checks*.c
/* Task switches of all four kinds; after each, the state must be one that VM entry takes. */
#include "fake_events.h"
#include "fake_vmcs.h"

#include <string.h>

#include "exits/exits.h"
#include "vmx/entry_checks.h"
#include "vmx/guest_memory.h"

#define GDT 0x4000u
#define OLD_TSS 0x6000u
#define NEW_TSS 0x6800u
#define STACK 0x8000u

/* Selectors: the flat segments are those of fake_guest(). */
enum {
    SEL_CODE = 0x08,
    SEL_DATA = 0x10,
    SEL_USER_CODE = 0x1B,
    SEL_USER_DATA = 0x23,
    SEL_OLD = 0x28,
    SEL_NEW = 0x30,
    SEL_LDT = 0x38,
    SEL_ABSENT_CODE = 0x40,
    SEL_ABSENT_DATA = 0x48,
    SEL_READ_ONLY = 0x50,
    SEL_BEYOND = 0x60,
    GDT_LIMIT = 0x5F,
};

#define DESCRIPTOR(base, limit, rights)                                                            \
    (((u64)(base)&0xFFFFFF) << 16 | (u64)(base) >> 24 << 56 | ((limit)&0xFFFFu) |                  \
     ((u64)(limit)&0xF0000) << 32 | (u64)(rights) << 40)

enum { CALL, IRET, JMP, GATE };

static struct {
    u16 link, r0;
    u32 stacks[6];
    u32 cr3, eip, eflags, gpr[8];
    u32 segment[6], ldt;
    u16 trap, map;
} new_tss;

static void set_gdt(unsigned selector, u64 descriptor)
{
    memcpy(&fake_ram[GDT + (selector & ~7u)], &descriptor, 8);
}

static u8 rights_byte(unsigned selector)
{
    return fake_ram[GDT + (selector & ~7u) + 5];
}

static u32 ram32(unsigned address)
{
    u32 value;
    memcpy(&value, &fake_ram[address], 4);
    return value;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true};
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_GDTR_BASE, GDT);
    fake_set(GUEST_GDTR_LIMIT, GDT_LIMIT);
    set_gdt(SEL_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC09A));
    set_gdt(SEL_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC092));
    set_gdt(SEL_USER_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC0FA));
    set_gdt(SEL_USER_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC0F2));
    set_gdt(SEL_OLD, DESCRIPTOR(OLD_TSS, 0x67, 0x8B));
    set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x89));
    set_gdt(SEL_LDT, DESCRIPTOR(0x5000, 0x0F, 0x82));
    set_gdt(SEL_ABSENT_CODE, DESCRIPTOR(0, 0xFFFFF, 0xC01A));
    set_gdt(SEL_ABSENT_DATA, DESCRIPTOR(0, 0xFFFFF, 0xC012));
    set_gdt(SEL_READ_ONLY, DESCRIPTOR(0, 0xFFFFF, 0xC090));

    memset(&new_tss, 0, sizeof(new_tss));
    new_tss.eip = 0x1234;
    new_tss.eflags = 0x202;
    for (unsigned i = 0; i < 8; i++) {
        new_tss.gpr[i] = 0x100 + i;
        fake_vcpu.gpr[i] = 0xDEAD000000000200 + i;
    }
    new_tss.gpr[RSP] = STACK;
    for (enum segment s = ES; s <= GS; s++)
        new_tss.segment[s] = s == CS ? SEL_CODE : SEL_DATA;
    return 0;
}

static void print_broken(const char *sentence, enum vmcs_field field, u64 value)
{
    print_error("%s: %#x = %#llx\n", sentence, field, (unsigned long long)value);
}

static enum exit_action task_switch_by(unsigned source, u16 selector, unsigned length)
{
    u32 vectoring = (u32)fake_get(IDT_VECTORING_INFO);
    u32 error_code = (u32)fake_get(IDT_VECTORING_ERROR_CODE);
    memcpy(&fake_ram[NEW_TSS], &new_tss, 104);
    fake_exit(EXIT_TASK_SWITCH, (u64)source << 30 | selector, length);
    fake_set(IDT_VECTORING_INFO, vectoring);
    fake_set(IDT_VECTORING_ERROR_CODE, error_code);
    enum exit_action action = exit_task_switch(&fake_vcpu);
    assert_int_equal(action, EXIT_RETRY);
    assert_int_equal(entry_checks(&fake_capabilities, print_broken), 0);
    return action;
}

static void assert_switched(void)
{
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_NEW);
    assert_int_equal(fake_get(GUEST_TR_BASE), NEW_TSS);
    assert_int_equal(fake_get(GUEST_TR_ACCESS_RIGHTS) & 0xF, 11);
    assert_int_equal(fake_get(GUEST_RIP), 0x1234);
    assert_int_equal(fake_get(GUEST_RSP), new_tss.gpr[RSP]);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x107);
    assert_true(fake_get(GUEST_CR0) & CR0_TS);
}

static void assert_fault(int vector, u32 error_code)
{
    assert_int_equal(fake_event.vector, vector);
    assert_int_equal(fake_event.error_code, error_code);
}

static void jump(void **state)
{
    (void)state;
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
    fake_set(GUEST_DR7, DR7_FIXED | 0x3FF);
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(rights_byte(SEL_OLD), 0x89);
    assert_int_equal(rights_byte(SEL_NEW), 0x8B);
    assert_int_equal(ram32(OLD_TSS + 0x20), FAKE_RIP + 7);
    assert_int_equal(ram32(OLD_TSS + 0x24), RFLAGS_FIXED);
    assert_int_equal(ram32(OLD_TSS + 0x28), 0x200);
    assert_int_equal(ram32(OLD_TSS + 0x38), FAKE_RSP);
    assert_int_equal(ram32(OLD_TSS + 0x4C), SEL_CODE);
    assert_int_equal(ram32(OLD_TSS + 0x60), 0);
    assert_int_equal(ram32(NEW_TSS), 0);
    assert_int_equal(fake_get(GUEST_RFLAGS), 0x202);
    assert_int_equal(fake_get(GUEST_DR7), DR7_FIXED | 0x2AA);
    assert_int_equal(rights_byte(SEL_CODE), 0x9B); /* accessed now */
    assert_int_equal(fake_get(GUEST_CS_ACCESS_RIGHTS), 0xC09B);
}

static void call_and_return(void **state)
{
    (void)state;
    task_switch_by(CALL, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(ram32(NEW_TSS) & 0xFFFF, SEL_OLD);
    assert_int_equal(fake_get(GUEST_RFLAGS), 0x202 | RFLAGS_NT);
    assert_int_equal(rights_byte(SEL_OLD), 0x8B);

    new_tss.link = SEL_OLD; /* what the switch back finds in memory */
    task_switch_by(IRET, SEL_OLD, 1);
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_OLD);
    assert_int_equal(rights_byte(SEL_NEW), 0x89);
    assert_int_equal(rights_byte(SEL_OLD), 0x8B);
    assert_int_equal(fake_get(GUEST_RIP), FAKE_RIP + 7);
    assert_int_equal(fake_get(GUEST_RSP), FAKE_RSP);
    assert_int_equal(ram32(NEW_TSS + 0x20), 0x1235);
    assert_int_equal(ram32(NEW_TSS + 0x24), 0x202); /* NT is gone */
}

static void gate_with_error_code(void **state)
{
    (void)state;
    fake_set(IDT_VECTORING_INFO, 0x80000B0D); /* #GP */
    fake_set(IDT_VECTORING_ERROR_CODE, 0x58);
    new_tss.gpr[RSP] = STACK;
    task_switch_by(GATE, SEL_NEW, 5);
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(ram32(OLD_TSS + 0x20), FAKE_RIP);
    assert_int_equal(fake_get(GUEST_RSP), STACK - 4);
    assert_int_equal(ram32(STACK - 4), 0x58);
    assert_int_equal(fake_vcpu.vectoring, 0);
}

static void gate_by_int_n(void **state)
{
    (void)state;
    fake_set(IDT_VECTORING_INFO, 0x80000480);
    task_switch_by(GATE, SEL_NEW, 2);
    assert_switched();
    assert_int_equal(ram32(OLD_TSS + 0x20), FAKE_RIP + 2);
}

static void nmis(void **state)
{
    (void)state;
    fake_set(IDT_VECTORING_INFO, 0x80000202);
    task_switch_by(GATE, SEL_NEW, 0);
    assert_switched();
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), BLOCKING_BY_NMI);
    fake_set(IDT_VECTORING_INFO, 0);
    new_tss.link = SEL_OLD;
    task_switch_by(IRET, SEL_OLD, 1);
    assert_int_equal(fake_get(GUEST_INTERRUPTIBILITY), 0);
}

static void to_user_with_ldt(void **state)
{
    (void)state;
    u64 data = DESCRIPTOR(0x1000, 0xFFFF, 0x00F2);
    memcpy(&fake_ram[0x5008], &data, 8);
    new_tss.ldt = SEL_LDT;
    new_tss.segment[CS] = SEL_USER_CODE;
    new_tss.segment[SS] = SEL_USER_DATA;
    new_tss.segment[DS] = 0x0F; /* in the LDT */
    new_tss.segment[ES] = 0;
    new_tss.segment[FS] = new_tss.segment[GS] = SEL_USER_DATA;
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(fake_get(GUEST_LDTR_BASE), 0x5000);
    assert_int_equal(fake_get(GUEST_DS_BASE), 0x1000);
    assert_int_equal(fake_get(GUEST_ES_ACCESS_RIGHTS), AR_UNUSABLE);
    assert_int_equal(fake_get(GUEST_SS_ACCESS_RIGHTS) >> 5 & 3, 3);
}

static void to_v8086(void **state)
{
    (void)state;
    new_tss.eflags = 0x20202;
    for (enum segment s = ES; s <= GS; s++)
        new_tss.segment[s] = 0x1000;
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(fake_get(GUEST_CS_BASE), 0x10000);
    assert_int_equal(fake_get(GUEST_GS_ACCESS_RIGHTS), 0xF3);
}

static void from_16bit_tss(void **state)
{
    (void)state;
    u16 tss[22] = {0};
    set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x2B, 0x81));
    tss[7] = 0x1234; /* IP, FLAGS, then AX to DI, ES to DS, LDT */
    tss[8] = 0x202;
    for (unsigned i = 0; i < 8; i++)
        tss[9 + i] = (u16)(0x100 + i);
    tss[9 + RSP] = STACK;
    tss[17] = tss[19] = tss[20] = SEL_DATA;
    tss[18] = SEL_CODE;
    memcpy(&new_tss, tss, sizeof(tss));
    task_switch_by(JMP, SEL_NEW, 7);
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(fake_get(GUEST_RIP), 0x1234);
    assert_int_equal(fake_get(GUEST_TR_ACCESS_RIGHTS) & 0xF, 3);
    assert_int_equal(fake_get(GUEST_FS_ACCESS_RIGHTS), AR_UNUSABLE);
    assert_int_equal(fake_vcpu.gpr[RBX], 0x103);
}

static void debug_trap(void **state)
{
    (void)state;
    new_tss.trap = 1;
    task_switch_by(JMP, SEL_NEW, 7);
    assert_int_equal(fake_event.vector, VECTOR_DB);
    assert_int_equal(fake_get(GUEST_RIP), 0x1234);
    assert_int_equal(fake_cpu.dr[6], DR6_FIXED | DR6_BT);
}

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

/* An exception that a task gate cannot deliver takes part in the rules for double faults. */
static void refused_exception(void **state)
{
    (void)state;
    set_gdt(SEL_NEW, DESCRIPTOR(NEW_TSS, 0x67, 0x09));
    fake_set(IDT_VECTORING_INFO, 0x80000B0E);
    task_switch_by(GATE, SEL_NEW, 0);
    assert_fault(VECTOR_NP, SEL_NEW | 1); /* EXT */
    assert_int_equal(fake_vcpu.vectoring, 0x80000B0E);
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
        {SS, SEL_ABSENT_DATA, VECTOR_SS, SEL_ABSENT_DATA},
        {DS, SEL_ABSENT_DATA, VECTOR_NP, SEL_ABSENT_DATA},
        {GS, SEL_OLD, VECTOR_TS, SEL_OLD},
        {ES, SEL_DATA | 3, VECTOR_TS, SEL_DATA},
        {LDTR, SEL_DATA, VECTOR_TS, SEL_DATA},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(NULL);
        if (rows[i].segment == LDTR)
            new_tss.ldt = rows[i].selector;
        else
            new_tss.segment[rows[i].segment] = rows[i].selector;
        task_switch_by(JMP, SEL_NEW, 7);
        assert_fault(rows[i].vector, rows[i].error_code);
        assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_NEW);
        assert_int_equal(fake_get(GUEST_RIP), 0x1234);
    }
}

static void eip_beyond_the_limit(void **state)
{
    (void)state;
    set_gdt(SEL_CODE, DESCRIPTOR(0, 0xFFF, 0x409A));
    task_switch_by(JMP, SEL_NEW, 7);
    assert_fault(VECTOR_GP, 0);
}

/* Both fakes of page tables are 64-bit; 32-bit ones with 4 MiB pages do here. */
static void loads_cr3(void **state)
{
    (void)state;
    u32 entry = 0x87;
    memcpy(&fake_ram[0xA000], &entry, 4);
    memcpy(&fake_ram[0xB000], &entry, 4);
    fake_set(GUEST_CR0, fake_get(GUEST_CR0) | CR0_PG);
    fake_set(GUEST_CR4, fake_get(GUEST_CR4) | CR4_PSE);
    fake_set(GUEST_CR3, 0xA000);
    new_tss.cr3 = 0xB000;
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(fake_get(GUEST_CR3), 0xB000);
    assert_int_equal(fake_flushes.non_global, 1);
    assert_int_equal(ram32(OLD_TSS + 0x1C), 0);
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
    set_gdt(SEL_NEW, DESCRIPTOR(0x3FFFF0, 0x67, 0x89));
    task_switch_by(CALL, SEL_NEW, 7);
    assert_fault(VECTOR_PF, 0);
    assert_int_equal(fake_event.address, 0x400000);
    assert_int_equal(rights_byte(SEL_NEW), 0x89);
    assert_int_equal(fake_get(GUEST_TR_SELECTOR), SEL_OLD);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(jump),
        TEST(call_and_return),
        TEST(gate_with_error_code),
        TEST(gate_by_int_n),
        TEST(nmis),
        TEST(to_user_with_ldt),
        TEST(to_v8086),
        TEST(from_16bit_tss),
        TEST(debug_trap),
        TEST(refused_in_the_old_task),
        TEST(refused_exception),
        TEST(refused_in_the_new_task),
        TEST(eip_beyond_the_limit),
        TEST(loads_cr3),
        TEST(page_fault_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
