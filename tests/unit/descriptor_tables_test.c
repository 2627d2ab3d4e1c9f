// link: tests/unit/fake_vmcs*.c tests/unit/fake_events.c
/* Loads and stores of GDTR, IDTR, LDTR and TR. */
#include "fake_events.h"
#include "fake_vmcs.h"

#include <string.h>

#include "emulate/handlers.h"
#include "memory/guest_memory.h"

#define OPERAND 0x3000u
#define GDT 0x4000u

/* Instruction information: absolute address in DS, or a register. */
#define MEMORY (BIT(22) | BIT(27) | DS << 15)
#define REGISTER(number) (BIT(10) | (number) << 3)
#define ADDRESS_16 (0 << 7)
#define ADDRESS_32 (1 << 7)
#define ADDRESS_64 (2 << 7)

enum { SGDT, SIDT, LGDT, LIDT };
enum { SLDT, STR, LLDT, LTR };

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){40, true, false};
    fake_set(GUEST_GDTR_BASE, GDT);
    fake_set(GUEST_GDTR_LIMIT, 0x2F);
    return 0;
}

static enum exit_action instruction(u32 reason, u64 info, const char *code)
{
    memcpy(&fake_ram[FAKE_RIP], code, 4);
    fake_events_reset();
    fake_exit(reason, info & BIT(10) ? 0 : OPERAND, 4);
    fake_set(VM_EXIT_INSTRUCTION_INFO, info);
    return reason == EXIT_GDTR_IDTR_ACCESS ? exit_gdtr_idtr_access(&fake_vcpu)
                                           : exit_ldtr_tr_access(&fake_vcpu);
}

static enum exit_action table(u32 identity, u64 info, const char *code)
{
    return instruction(EXIT_GDTR_IDTR_ACCESS, info | identity << 28, code);
}

static enum exit_action selector(u32 identity, u64 info, const char *code)
{
    return instruction(EXIT_LDTR_TR_ACCESS, info | identity << 28, code);
}

static void set_descriptor(unsigned index, u64 value)
{
    memcpy(&fake_ram[GDT + 8 * index], &value, 8);
}

static void stores_tables(void **state)
{
    (void)state;
    fake_set(GUEST_IDTR_BASE, 0xFFFF800012345678);
    fake_set(GUEST_IDTR_LIMIT, 0xFFF);
    assert_int_equal(table(SIDT, MEMORY | ADDRESS_64, "\x0F\x01\x08"), EXIT_ADVANCE);
    assert_memory_equal(&fake_ram[OPERAND], "\xFF\x0F\x78\x56\x34\x12\x00\x80\xFF\xFF", 10);

    fake_guest(GUEST_16BIT);
    memset(&fake_ram[OPERAND], 0xEE, 10);
    fake_set(GUEST_GDTR_BASE, 0x12345678);
    assert_int_equal(table(SGDT, MEMORY | ADDRESS_16, "\x0F\x01\x00"), EXIT_ADVANCE);
    assert_memory_equal(&fake_ram[OPERAND], "\x2F\x00\x78\x56\x34\x12\xEE", 7);
}

static void loads_tables(void **state)
{
    (void)state;
    memcpy(&fake_ram[OPERAND], "\x57\x01\x78\x56\x34\x92\x00\x80\xFF\xFF", 10);
    assert_int_equal(table(LGDT, MEMORY | ADDRESS_64, "\x0F\x01\x10"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_GDTR_LIMIT), 0x157);
    assert_int_equal(fake_get(GUEST_GDTR_BASE), 0xFFFF800092345678);

    fake_ram[OPERAND + 9] = 0x7F;
    assert_int_equal(table(LIDT, MEMORY | ADDRESS_64, "\x0F\x01\x18"), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_GP);

    fake_guest(GUEST_32BIT);
    assert_int_equal(table(LIDT, MEMORY | ADDRESS_32, "\x0F\x01\x18"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_IDTR_BASE), 0x92345678);
}

/* The width is the CPU's, whatever the paging mode. */
static void a_base_has_the_width_of_the_cpu(void **state)
{
    (void)state;
    memcpy(&fake_ram[OPERAND], "\x57\x01\x78\x56\x34\x12\x00\x00\x11\xFF", 10);
    assert_int_equal(table(LGDT, MEMORY | ADDRESS_64, "\x0F\x01\x10"), EXIT_RETRY);
    paging_features.la57 = true;
    assert_int_equal(table(LGDT, MEMORY | ADDRESS_64, "\x0F\x01\x10"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_GDTR_BASE), 0xFF11000012345678);
    fake_ram[OPERAND + 9] = 0xFE;
    assert_int_equal(table(LGDT, MEMORY | ADDRESS_64, "\x0F\x01\x10"), EXIT_RETRY);
}

/* 16-bit operands load 24 bits of the base: the default in real mode, a prefix in 32-bit code. */
static void loads_24_bits(void **state)
{
    (void)state;
    memcpy(&fake_ram[OPERAND], "\x57\x01\x78\x56\x34\x92", 6);
    fake_guest(GUEST_32BIT);
    table(LIDT, MEMORY | ADDRESS_32, "\x66\x0F\x01\x18");
    assert_int_equal(fake_get(GUEST_IDTR_BASE), 0x345678);
    fake_guest(GUEST_16BIT);
    table(LGDT, MEMORY | ADDRESS_16, "\x0F\x01\x10");
    assert_int_equal(fake_get(GUEST_GDTR_BASE), 0x345678);
    table(LGDT, MEMORY | ADDRESS_16, "\x66\x0F\x01\x10");
    assert_int_equal(fake_get(GUEST_GDTR_BASE), 0x92345678);
}

static void stores_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        u64 expected;
    } rows[] = {
        {"\x66\x0F\x00\xC8", 0x1111222233330028},
        {"\x0F\x00\xC8\x90", 0x28},
        {"\x48\x0F\x00\xC8", 0x28},
        {"\x66\x41\x0F\x00", 0x1111222233330028}, /* REX without W */
        {"\x48\x66\x0F\x00", 0x1111222233330028}, /* REX in vain */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_vcpu.gpr[RAX] = 0x1111222233334444;
        assert_int_equal(selector(STR, REGISTER(RAX), rows[i].code), EXIT_ADVANCE);
        assert_int_equal(fake_vcpu.gpr[RAX], rows[i].expected);
    }
    memset(&fake_ram[OPERAND], 0xEE, 4);
    assert_int_equal(selector(SLDT, MEMORY | ADDRESS_64, "\x0F\x00\x00"), EXIT_ADVANCE);
    assert_memory_equal(&fake_ram[OPERAND], "\x00\x00\xEE", 3);
}

static void loads_tr(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    set_descriptor(3, 0x1205893456780067);
    fake_vcpu.gpr[RDX] = 0xFFFF0018;
    assert_int_equal(selector(LTR, REGISTER(RDX), "\x0F\x00\xDA"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_TR_SELECTOR), 0x18);
    assert_int_equal(fake_get(GUEST_TR_BASE), 0x12345678);
    assert_int_equal(fake_get(GUEST_TR_LIMIT), 0x50067);
    assert_int_equal(fake_get(GUEST_TR_ACCESS_RIGHTS), 0x8B);
    assert_int_equal(fake_ram[GDT + 3 * 8 + 5], 0x8B);
    assert_int_equal(selector(LTR, REGISTER(RDX), "\x0F\x00\xDA"), EXIT_RETRY); /* busy */
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_event.error_code, 0x18);
}

static void loads_ldtr_with_16_bytes(void **state)
{
    (void)state;
    set_descriptor(2, 0x1280823456780002); /* limit 0x2FFF by granularity */
    set_descriptor(3, 0xFFFF8000);
    fake_vcpu.gpr[RCX] = 0x10;
    assert_int_equal(selector(LLDT, REGISTER(RCX), "\x0F\x00\xD1"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_LDTR_BASE), 0xFFFF800012345678);
    assert_int_equal(fake_get(GUEST_LDTR_LIMIT), 0x2FFF);
    assert_int_equal(fake_get(GUEST_LDTR_ACCESS_RIGHTS), 0x8082);
    fake_vcpu.gpr[RCX] = 3; /* null */
    assert_int_equal(selector(LLDT, REGISTER(RCX), "\x0F\x00\xD1"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_LDTR_ACCESS_RIGHTS), AR_UNUSABLE);
    assert_int_equal(fake_get(GUEST_LDTR_SELECTOR), 3);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        u32 identity;
        u16 selector;
        u64 descriptor; /* at index 2 */
        u64 upper;
        u8 vector;
        u16 error_code;
    } rows[] = {
        {LTR, 0, 0, 0, VECTOR_GP, 0},
        {LTR, 0x14, 0x0000890000000067, 0, VECTOR_GP, 0x14}, /* in the LDT */
        {LTR, 0x10, 0x0000090000000067, 0, VECTOR_NP, 0x10},
        {LTR, 0x10, 0x0000810000000067, 0, VECTOR_GP, 0x10}, /* 16-bit in IA-32e mode */
        {LTR, 0x10, 0x0000890000000067, 0x00008000, VECTOR_GP, 0x10},
        {LTR, 0x10, 0x0000890000000067, BIT(40), VECTOR_GP, 0x10},
        {LTR, 0x28, 0, 0, VECTOR_GP, 0x28}, /* 8 bytes are left in the GDT */
        {LLDT, 0x11, 0x0000020000000067, 0, VECTOR_NP, 0x10},
        {LLDT, 0x10, 0x0000920000000067, 0, VECTOR_GP, 0x10},
        {LLDT, 0x30, 0, 0, VECTOR_GP, 0x30},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        set_descriptor(2, rows[i].descriptor);
        set_descriptor(3, rows[i].upper);
        fake_vcpu.gpr[RAX] = rows[i].selector;
        assert_int_equal(selector(rows[i].identity, REGISTER(RAX), "\x0F\x00\xD8"), EXIT_RETRY);
        assert_int_equal(fake_event.vector, rows[i].vector);
        assert_int_equal(fake_event.error_code, rows[i].error_code);
        assert_int_equal(fake_total_writes(), 0);
    }
}

static void operand_faults(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_DS_LIMIT, OPERAND + 4);
    assert_int_equal(table(LGDT, MEMORY | ADDRESS_32, "\x0F\x01\x10"), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_event.error_code, 0);
}

static void at_the_wrong_privilege(void **state)
{
    (void)state;
    static const struct {
        bool tables;
        u32 identity;
        u64 cr4;
        int vector;
    } rows[] = {
        {true, LGDT, 0, VECTOR_GP},  {true, LIDT, 0, VECTOR_GP},
        {true, SGDT, 0, -1},         {true, SIDT, CR4_UMIP, VECTOR_GP},
        {false, LLDT, 0, VECTOR_GP}, {false, LTR, CR4_UMIP, VECTOR_GP},
        {false, STR, 0, -1},         {false, SLDT, CR4_UMIP, VECTOR_GP},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_guest(GUEST_64BIT_USER);
        fake_set(GUEST_CR4, (fake_get(GUEST_CR4) & ~CR4_UMIP) | rows[i].cr4);
        (rows[i].tables ? table : selector)(rows[i].identity, MEMORY | ADDRESS_64, "\x0F\x01\x10");
        assert_int_equal(fake_event.vector, rows[i].vector);
        assert_int_equal(rows[i].vector < 0 ? 0 : fake_event.error_code, 0);
    }
}

/* The operand is in a page that is missing. */
static void missing_operands(void **state)
{
    (void)state;
    static const struct {
        bool tables;
        u32 identity, error_code;
    } rows[] = {{true, SGDT, 2}, {true, LGDT, 0}, {false, STR, 2}, {false, LLDT, 0}};
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        memcpy(&fake_ram[FAKE_RIP], "\x0F\x00\x10", 4);
        fake_events_reset();
        fake_exit(rows[i].tables ? EXIT_GDTR_IDTR_ACCESS : EXIT_LDTR_TR_ACCESS, FAKE_RAM, 4);
        fake_set(VM_EXIT_INSTRUCTION_INFO, MEMORY | ADDRESS_64 | rows[i].identity << 28);
        enum exit_action action =
            rows[i].tables ? exit_gdtr_idtr_access(&fake_vcpu) : exit_ldtr_tr_access(&fake_vcpu);
        assert_int_equal(action, EXIT_RETRY);
        assert_int_equal(fake_event.vector, VECTOR_PF);
        assert_int_equal(fake_event.error_code, rows[i].error_code);
    }
}

static void selector_in_memory(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    set_descriptor(5, /* the last */
                   0x1200823456780002);
    memcpy(&fake_ram[OPERAND], "\x28\x00\xFF", 3);
    assert_int_equal(selector(LLDT, MEMORY | ADDRESS_32, "\x0F\x00\x10"), EXIT_ADVANCE);
    assert_int_equal(fake_get(GUEST_LDTR_SELECTOR), 0x28);
    assert_int_equal(fake_get(GUEST_LDTR_BASE), 0x12345678);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(stores_tables),
        TEST(loads_tables),
        TEST(a_base_has_the_width_of_the_cpu),
        TEST(loads_24_bits),
        TEST(stores_selectors),
        TEST(loads_tr),
        TEST(loads_ldtr_with_16_bytes),
        TEST(refuses),
        TEST(operand_faults),
        TEST(at_the_wrong_privilege),
        TEST(missing_operands),
        TEST(selector_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
