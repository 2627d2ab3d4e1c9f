// Guest memory by linear address, by segment and by the operand of an instruction.
// link: tests/unit/guest_tables.c tests/unit/fake_vmcs*.c tests/unit/fake_events.c
#include "guest_tables.h"

#include <string.h>

#include "emulate/operand.h"

static void copies_cross_pages(void **state)
{
    (void)state;
    static const char text[] = "across";
    char back[sizeof(text)];
    four_levels(P | W | U, P | W | U);
    set_entry(3, 2, (DATA + 0x5000) | P | W | U);
    u64 linear = (LINEAR | 0xFFF) - 2;
    assert_true(guest_write(linear, text, sizeof(text), 0, &fault));
    assert_memory_equal(&fake_ram[DATA + 0xFFD], "acr", 3);
    assert_memory_equal(&fake_ram[DATA + 0x5000], "oss", 4);
    assert_true(guest_read(linear, back, sizeof(back), 3, &fault));
    assert_string_equal(back, text);

    u64 high = linear + 4 * 0x40000000ull; /* above 4 GiB */
    u64 directory = entry(1, 1);
    set_entry(1, 5, directory);
    set_entry(1, 1, 0);
    memset(&fake_ram[DATA + 0x5000], 0, 3);
    assert_true(guest_write(high, text, sizeof(text), 0, &fault));
    assert_memory_equal(&fake_ram[DATA + 0x5000], "oss", 4);
    assert_true(guest_read(high, back, sizeof(back), 3, &fault));
    assert_string_equal(back, text);
    set_entry(1, 1, directory);

    set_entry(3, 2, 0);
    fake_ram[DATA + 0xFFD] = 'x';
    assert_false(guest_write(linear, text, sizeof(text), 0, &fault));
    assert_int_equal(fault.address, (LINEAR & ~0xFFFull) + 0x1000);
    assert_int_equal(fake_ram[DATA + 0xFFD], 'x');
}

static void no_ram_reads_as_ones(void **state)
{
    (void)state;
    u16 value = 0;
    fake_guest(GUEST_32BIT);
    assert_true(guest_write(0xFEE00000, &value, 2, 0, &fault));
    assert_true(guest_read(0xFEE00000, &value, 2, 0, &fault));
    assert_int_equal(value, 0xFFFF);
}

static void segments(void **state)
{
    (void)state;
    enum { EXPAND_DOWN = 0xC097, EXPAND_DOWN_16 = 0x8097, CODE_ONLY = 0xC099, READ_ONLY = 0xC091 };
    static const struct {
        enum fake_mode mode;
        enum segment segment;
        u32 rights, limit; /* rights 0: the mode's own */
        u64 base, offset;
        unsigned address_size;
        enum access access;
        int vector; /* 0: allowed */
        u64 linear;
    } rows[] = {
        {GUEST_64BIT, DS, 0, 0, 0x5000, 0x1000, 8, ACCESS_WRITE, 0, 0x1000},
        {GUEST_64BIT, FS, 0, 0, 0x5000, 0x1000, 8, ACCESS_WRITE, 0, 0x6000},
        {GUEST_64BIT, DS, 0, 0, 0, 0xFFFFFFFF00001000, 4, ACCESS_WRITE, 0, 0x1000},
        {GUEST_64BIT, GS, 0, 0, 0x5000, 0x1000, 8, ACCESS_WRITE, 0, 0x6000},
        {GUEST_64BIT, DS, 0, 0, 0, 0x7FFFFFFFFFFC, 8, ACCESS_READ, 0, 0x7FFFFFFFFFFC},
        {GUEST_64BIT, DS, 0, 0, 0, 0x7FFFFFFFFFFD, 8, ACCESS_READ, VECTOR_GP, 0},
        {GUEST_64BIT, SS, 0, 0, 0, 0x800000000000, 8, ACCESS_READ, VECTOR_SS, 0},
        {GUEST_32BIT, DS, 0, 0xFFFFFFFF, 0xFFFFF000, 0x2000, 4, ACCESS_READ, 0, 0x1000},
        {GUEST_32BIT, DS, 0, 0xFFF, 0, 0xFFC, 4, ACCESS_READ, 0, 0xFFC},
        {GUEST_32BIT, DS, 0, 0xFFF, 0, 0xFFD, 4, ACCESS_READ, VECTOR_GP, 0},
        {GUEST_32BIT, SS, EXPAND_DOWN, 0xFFF, 0, 0xFFF, 4, ACCESS_READ, VECTOR_SS, 0},
        {GUEST_32BIT, SS, EXPAND_DOWN, 0xFFF, 0, 0x1000, 4, ACCESS_WRITE, 0, 0x1000},
        {GUEST_32BIT, SS, EXPAND_DOWN, 0xFFF, 0, 0x10000, 4, ACCESS_WRITE, 0, 0x10000},
        {GUEST_32BIT, SS, EXPAND_DOWN_16, 0xFFF, 0, 0xFFFC, 4, ACCESS_WRITE, 0, 0xFFFC},
        {GUEST_32BIT, SS, EXPAND_DOWN_16, 0xFFF, 0, 0xFFFD, 4, ACCESS_WRITE, VECTOR_SS, 0},
        {GUEST_32BIT, DS, READ_ONLY, ~0u, 0, 0, 4, ACCESS_WRITE, VECTOR_GP, 0},
        {GUEST_32BIT, CS, CODE_ONLY, ~0u, 0, 0, 4, ACCESS_READ, VECTOR_GP, 0},
        {GUEST_32BIT, ES, AR_UNUSABLE, ~0u, 0, 0, 4, ACCESS_READ, VECTOR_GP, 0},
        {GUEST_16BIT, CS, 0, 0xFFFF, 0xF0000, 0x1FFF0, 2, ACCESS_WRITE, 0, 0xFFFF0},
        {GUEST_16BIT, DS, 0, 0xFFFF, 0, 0x10000, 4, ACCESS_READ, VECTOR_GP, 0},
        {GUEST_V8086, CS, 0, 0xFFFF, 0x100, 2, 2, ACCESS_WRITE, 0, 0x102},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 linear = 0;
        fake_guest(rows[i].mode);
        fake_set(GUEST_ES_BASE + 2 * rows[i].segment, rows[i].base);
        fake_set(GUEST_ES_LIMIT + 2 * rows[i].segment, rows[i].limit);
        if (rows[i].rights)
            fake_set(GUEST_ES_ACCESS_RIGHTS + 2 * rows[i].segment, rows[i].rights);
        fault = (struct guest_fault){0};
        bool allowed = guest_linear_address(rows[i].segment, rows[i].offset, rows[i].address_size,
                                            4, rows[i].access, &linear, &fault);
        assert_int_equal(allowed, rows[i].vector == 0);
        assert_int_equal(fault.vector, rows[i].vector);
        if (allowed)
            assert_int_equal(linear, rows[i].linear);
    }
}

static void operand_lies_at(u32 info, u64 displacement, u64 expected)
{
    struct guest_fault fault;
    u64 linear = 0;
    fake_set(VM_EXIT_INSTRUCTION_INFO, info);
    fake_set(EXIT_QUALIFICATION, displacement);
    struct operand operand = described_operand(&fake_vcpu, 1);
    assert_true(operand_linear(&operand, ACCESS_READ, &linear, &fault));
    assert_int_equal(linear, expected);
}

static void operands(void **state)
{
    (void)state;
    u32 no_index = BIT(22), no_base = BIT(27);
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_GS_BASE, 0x7000000000);
    fake_vcpu.gpr[RBX] = 0x100000010;
    fake_vcpu.gpr[RCX] = 0x20;
    operand_lies_at(2 | 2 << 7 | RCX << 18 | RBX << 23 | GS << 15, 5, 0x7100000095);
    operand_lies_at(1 << 7 | RBX << 23 | no_index | DS << 15, ~0ull, 0xF);
    operand_lies_at((u32)(2 << 7 | RSP << 23) | no_index | SS << 15, 8, FAKE_RSP + 8);
    operand_lies_at(2 << 7 | no_index | no_base | DS << 15, 0x1234, 0x1234);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(copies_cross_pages),
        TEST(no_ram_reads_as_ones),
        TEST(segments),
        TEST(operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
