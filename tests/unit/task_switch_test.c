// Task switches of all four kinds.
// link: tests/unit/task_switch_guest.c tests/unit/fake_vmcs*.c tests/unit/fake_events.c
#include "task_switch_guest.h"

#include <string.h>

#include "fake_events.h"

static void jump(void **state)
{
    (void)state;
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF | RFLAGS_NT);
    fake_set(GUEST_GS_SELECTOR, SEL_USER_DATA);
    fake_set(GUEST_DR7, DR7_FIXED | 0x3FF);
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    assert_int_equal(rights_byte(SEL_OLD), 0x89);
    assert_int_equal(rights_byte(SEL_NEW), 0x8B);
    assert_int_equal(ram32(OLD_TSS + 0x20), FAKE_RIP + 7);
    assert_int_equal(ram32(OLD_TSS + 0x24), RFLAGS_FIXED | RFLAGS_NT);
    assert_int_equal(ram32(OLD_TSS + 0x28), 0x200);
    assert_int_equal(ram32(OLD_TSS + 0x38), FAKE_RSP);
    assert_int_equal(ram32(OLD_TSS + 0x4C), SEL_CODE);
    assert_int_equal(ram32(OLD_TSS + 0x5C), SEL_USER_DATA);
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
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF); /* as a fault's image has it */
    new_tss.gpr[RSP] = STACK;
    task_switch_by(GATE, SEL_NEW, 5);
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(ram32(OLD_TSS + 0x20), FAKE_RIP);
    assert_int_equal(ram32(OLD_TSS + 0x24), RFLAGS_FIXED | RFLAGS_RF);
    assert_int_equal(fake_get(GUEST_RSP), STACK - 4);
    assert_int_equal(ram32(STACK - 4), 0x58);
    assert_int_equal(fake_vcpu.vectoring, 0);
}

/* On a stack of 16-bit code the pointer wraps below its upper half. */
static void error_code_on_both_kinds_of_stack(void **state)
{
    (void)state;
    static const struct {
        u32 rights, esp;
    } rows[] = {{0x8092, 0x12FFFE}, {0xC092, 0x11FFFE}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(NULL);
        fake_set(IDT_VECTORING_INFO, 0x80000B0D);
        fake_set(IDT_VECTORING_ERROR_CODE, 0x58);
        set_gdt(SEL_DATA, DESCRIPTOR(0, 0xFFFFF, rows[i].rights));
        new_tss.gpr[RSP] = 0x120002;
        task_switch_by(GATE, SEL_NEW, 5);
        assert_int_equal(fake_event.vector, -1);
        assert_int_equal(fake_get(GUEST_RSP), rows[i].esp);
        assert_int_equal(ram32(i ? rows[i].esp : 0xFFFE), 0x58);
    }
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
    assert_int_equal(fake_vcpu.gpr[RBX], 0xFFFF0103);
}

static void to_16bit_tss(void **state)
{
    (void)state;
    u16 tss[22] = {0};
    fake_set(GUEST_TR_ACCESS_RIGHTS, 0x83);
    fake_set(GUEST_TR_LIMIT, 0x29);
    set_gdt(SEL_OLD, DESCRIPTOR(OLD_TSS, 0x2B, 0x83));
    memset(&fake_ram[OLD_TSS], 0, sizeof(tss));
    task_switch_by(JMP, SEL_NEW, 7);
    assert_switched();
    memcpy(tss, &fake_ram[OLD_TSS], sizeof(tss));
    assert_int_equal(tss[6], 0);
    assert_int_equal(tss[7], FAKE_RIP + 7);
    assert_int_equal(tss[8], RFLAGS_FIXED);
    assert_int_equal(tss[9], 0x200);
    assert_int_equal(tss[16], 0x207);
    assert_int_equal(tss[18], SEL_CODE);
    assert_int_equal(tss[20], (u16)fake_get(GUEST_DS_SELECTOR));
    assert_int_equal(tss[21], 0);
    assert_int_equal(rights_byte(SEL_OLD), 0x81);
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
        TEST(loads_cr3),
        TEST(error_code_on_both_kinds_of_stack),
        TEST(to_16bit_tss),
    };
    return cmocka_run_group_tests_name("Task switches", tests, NULL, NULL);
}
