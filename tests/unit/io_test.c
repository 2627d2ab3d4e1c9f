// link: tests/unit/fake_vmcs*.c tests/unit/fake_events.c
/* IN, OUT, INS and OUTS in every mode: registers, faults, filters, batches. */
#include "fake_events.h"
#include "fake_vmcs.h"

#include <string.h>

#include "emulate/handlers.h"
#include "platform/power.h"
#include "platform/console.h"
#include "memory/guest_memory.h"

#define QUALIFICATION(port, size, flags) ((u64)(port) << 16 | (flags) | ((size)-1))
#define IN 8
#define STRING 16
#define REP 32

static char serial[16];
static unsigned serial_length;
static u32 ending_port;

void serial_filter_out(u16 port, u8 value)
{
    assert_in_range(port, 0x3F8, 0x3FF);
    if (port == 0x3F8)
        serial[serial_length++] = (char)value;
}

bool power_filter_out(u16 port, unsigned size, u32 value)
{
    (void)size, (void)value;
    return port == ending_port;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake_events_reset();
    paging_features = (struct paging_features){46, true, false};
    memset(serial, 0, sizeof(serial));
    serial_length = 0;
    ending_port = ~0u;
    return 0;
}

static enum exit_action io(enum fake_mode mode, u64 qualification, const char *code,
                           unsigned length)
{
    fake_guest(mode);
    memcpy(&fake_ram[FAKE_RIP], code, length);
    fake_exit(EXIT_IO_INSTRUCTION, qualification, length);
    return exit_io_instruction(&fake_vcpu);
}

/* What the port gets of the guest's value. */
static u32 written(u16 port, unsigned size, u32 value)
{
    fake_vcpu.gpr[RAX] = value;
    assert_int_equal(io(GUEST_32BIT, QUALIFICATION(port, size, 0), "\xEE\x90", 1), EXIT_ADVANCE);
    return fake_cpu.ports[fake_cpu.port_accesses - 1].value;
}

static void address_line_20_stays_on(void **state)
{
    (void)state;
    assert_int_equal(written(0x92, 1, 0x0C), 0x0E);
    assert_int_equal(written(0x91, 2, 0x0011), 0x0211);
    assert_int_equal(written(0x64, 1, 0xDD), 0xDF);
    assert_int_equal(written(0x60, 1, 0xDD), 0xDD);
    assert_int_equal(written(0x64, 1, 0xD1), 0xD1);
    assert_int_equal(written(0x60, 1, 0xDD), 0xDF); /* to the output port */
    assert_int_equal(written(0x60, 1, 0xED), 0xED); /* to the keyboard again */
    assert_int_equal(written(0x80, 4, 0x12345678), 0x12345678);
}

static void in_merges(void **state)
{
    (void)state;
    static const struct {
        unsigned size;
        u64 expected;
    } rows[] = {
        {1, 0x11223344556677EE},
        {2, 0x112233445566DDEE},
        {4, 0xBBCCDDEE},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_vcpu.gpr[RAX] = 0x1122334455667788;
        fake_cpu.port_value = 0xBBCCDDEE;
        assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0x71, rows[i].size, IN), "\xEC", 1),
                         EXIT_ADVANCE);
        assert_int_equal(fake_vcpu.gpr[RAX], rows[i].expected);
        assert_int_equal(fake_cpu.ports[0].size, rows[i].size);
    }
}

static void out_keeps_width(void **state)
{
    (void)state;
    fake_vcpu.gpr[RAX] = 0x1122334455667788;
    assert_int_equal(io(GUEST_32BIT, QUALIFICATION(0x80, 2, 0), "\x66\xEF", 2), EXIT_ADVANCE);
    assert_int_equal(fake_cpu.port_accesses, 1);
    assert_int_equal(fake_cpu.ports[0].port, 0x80);
    assert_int_equal(fake_cpu.ports[0].size, 2);
    assert_int_equal(fake_cpu.ports[0].value, 0x7788);
}

static void com1_is_watched(void **state)
{
    (void)state;
    fake_vcpu.gpr[RAX] = 'x';
    io(GUEST_64BIT, QUALIFICATION(0x3F7, 1, 0), "\xEE", 1);
    io(GUEST_64BIT, QUALIFICATION(0x400, 1, 0), "\xEE", 1);
    io(GUEST_64BIT, QUALIFICATION(0x3FF, 2, 0), "\xEF", 1);
    assert_int_equal(serial_length, 0);
    fake_vcpu.gpr[RAX] = 'A' << 8 | 'B' << 16;
    io(GUEST_64BIT, QUALIFICATION(0x3F7, 4, 0), "\xEF", 1);
    assert_string_equal(serial, "A");
    assert_int_equal(fake_cpu.ports[0].size, 4);
}

static void ending_write_stops(void **state)
{
    (void)state;
    ending_port = 0xCF9;
    fake_vcpu.gpr[RAX] = 6;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0xCF9, 1, 0), "\xEE", 1), EXIT_STOP);
    assert_int_equal(fake_cpu.port_accesses, 0);
}

static void rep_outs(void **state)
{
    (void)state;
    memcpy(&fake_ram[0x1FFE], "hello", 5);
    fake_vcpu.gpr[RSI] = 0x1FFE;
    fake_vcpu.gpr[RCX] = 5;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0x3F8, 1, STRING | REP), "\xF3\x6E", 2),
                     EXIT_ADVANCE);
    assert_string_equal(serial, "hello");
    assert_int_equal(fake_vcpu.gpr[RSI], 0x2003);
    assert_int_equal(fake_vcpu.gpr[RCX], 0);
}

static void rep_of_zero(void **state)
{
    (void)state;
    fake_vcpu.gpr[RCX] = 0xFFFFFFFF00000000;
    assert_int_equal(io(GUEST_32BIT, QUALIFICATION(0x80, 1, STRING | REP), "\xF3\x6E", 2),
                     EXIT_ADVANCE);
    assert_int_equal(fake_cpu.port_accesses, 0);
    /* 32-bit addresses: the upper halves go though nothing else is done, as on hardware. */
    fake_vcpu.gpr[RSI] = 0x8000000000009762;
    fake_vcpu.gpr[RCX] = 0xFFFFFFFF00000000;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0x80, 1, STRING | REP), "\x67\xF3\x6E", 3),
                     EXIT_ADVANCE);
    assert_int_equal(fake_cpu.port_accesses, 0);
    assert_int_equal(fake_vcpu.gpr[RSI], 0x9762);
    assert_int_equal(fake_vcpu.gpr[RCX], 0);
}

static void rep_ins_backwards(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    fake_cpu.port_value = 0xABCD;
    fake_vcpu.gpr[RDI] = 0x5555555500001002;
    fake_vcpu.gpr[RCX] = 2;
    memcpy(&fake_ram[FAKE_RIP], "\xF3\x66\x6D", 3);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_DF);
    fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x1F0, 2, STRING | REP | IN), 3);
    assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_ADVANCE);
    assert_memory_equal(&fake_ram[0x1000], "\xCD\xAB\xCD\xAB", 4);
    assert_int_equal(fake_vcpu.gpr[RDI], 0xFFE);
}

/* 16-bit addresses wrap, and leave the upper halves of the registers alone. */
static void real_mode_override(void **state)
{
    (void)state;
    fake_guest(GUEST_16BIT);
    fake_set(GUEST_FS_BASE, 0x10000);
    fake_ram[0x1FFFF] = 'x';
    fake_ram[0x10000] = 'y';
    memcpy(&fake_ram[FAKE_RIP], "\x64\xF3\x6E", 3);
    fake_vcpu.gpr[RSI] = 0xAAAAFFFF;
    fake_vcpu.gpr[RCX] = 0xBBBB0002;
    fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x3F8, 1, STRING | REP), 3);
    assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_ADVANCE);
    assert_string_equal(serial, "xy");
    assert_int_equal(fake_vcpu.gpr[RSI], 0xAAAA0001);
    assert_int_equal(fake_vcpu.gpr[RCX], 0xBBBB0000);
}

/* In 64-bit code 67h means 32-bit addresses, and DS, ES, SS, CS overrides mean nothing. */
static void long_mode_prefixes(void **state)
{
    (void)state;
    fake_ram[0x3000] = 'z';
    fake_vcpu.gpr[RSI] = 0x1234567800003000;
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_SS_BASE, 0x100);
    io(GUEST_64BIT, QUALIFICATION(0x3F8, 1, STRING), "\x67\x36\x6E", 3);
    assert_string_equal(serial, "z");
    assert_int_equal(fake_vcpu.gpr[RSI], 0x3001);
}

/* The last of several counts. */
static void segment_overrides(void **state)
{
    (void)state;
    static const struct {
        char code[4];
        unsigned length;
        enum segment segment;
    } rows[] = {
        {"\x26\x6E", 2, ES}, {"\x2E\x6E", 2, CS}, {"\x36\x6E", 2, SS},         {"\x6E", 1, DS},
        {"\x64\x6E", 2, FS}, {"\x65\x6E", 2, GS}, {"\x64\xF0\x3E\x6E", 4, DS},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_guest(GUEST_16BIT);
        for (enum segment s = ES; s <= GS; s++) {
            fake_set(GUEST_ES_BASE + 2 * s, s == CS ? 0 : 0x10000 + 0x100 * s);
            fake_ram[(s == CS ? 0 : 0x10000 + 0x100 * s) + 0x80] = (u8)('0' + s);
        }
        memcpy(&fake_ram[FAKE_RIP], rows[i].code, rows[i].length);
        fake_vcpu.gpr[RSI] = 0x80;
        serial_length = 0;
        fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x3F8, 1, STRING), rows[i].length);
        assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_ADVANCE);
        assert_int_equal(serial[0], '0' + rows[i].segment);
    }
}

static void fault_keeps_progress(void **state)
{
    (void)state;
    fake_vcpu.gpr[RDI] = 0x1FFFFE; /* 2 MiB are mapped */
    fake_vcpu.gpr[RCX] = 4;
    fake_guest(GUEST_64BIT_USER);
    assert_int_equal(
        io(GUEST_64BIT_USER, QUALIFICATION(0x60, 2, STRING | REP | IN), "\xF3\x66\x6D", 3),
        EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_PF);
    assert_int_equal(fake_event.address, 0x200000);
    assert_int_equal(fake_event.error_code, 6); /* write, user */
    assert_int_equal(fake_cpu.port_accesses, 1);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x200000);
    assert_int_equal(fake_vcpu.gpr[RCX], 3);
}

static void missing_source(void **state)
{
    (void)state;
    fake_vcpu.gpr[RSI] = FAKE_RAM;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0x80, 1, STRING), "\x6E", 1), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_PF);
    assert_int_equal(fake_event.error_code, 0); /* read, supervisor */
    assert_int_equal(fake_cpu.port_accesses, 0);
}

/* OUTS reads from a segment that INS may not write to. */
static void rights_of_segment(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        int vector;
    } rows[] = {{STRING, -1}, {STRING | IN, VECTOR_GP}};
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
        unsigned rep = i % 2 ? REP : 0;
        fake_guest(GUEST_32BIT);
        fake_events_reset();
        fake_set(GUEST_DS_ACCESS_RIGHTS, 0xC091);
        fake_set(GUEST_ES_ACCESS_RIGHTS, 0xC091);
        fake_vcpu.gpr[RSI] = fake_vcpu.gpr[RDI] = 0x3000;
        fake_vcpu.gpr[RCX] = 4;
        memcpy(&fake_ram[FAKE_RIP], "\xF3\x6E", 2);
        fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x80, 1, rows[i / 2].flags | rep), 2);
        exit_io_instruction(&fake_vcpu);
        assert_int_equal(fake_event.vector, rows[i / 2].vector);
        assert_int_equal(fake_cpu.port_accesses, rows[i / 2].vector >= 0 ? 0 : rep ? 4 : 1);
    }
}

static void limit_of_segment(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_ES_LIMIT, 0xFFF);
    fake_vcpu.gpr[RDI] = 0xFFF;
    memcpy(&fake_ram[FAKE_RIP], "\x66\x6D", 2);
    fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x60, 2, STRING | IN), 2);
    assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_cpu.port_accesses, 0);
}

static void limit_after_some(void **state)
{
    (void)state;
    fake_guest(GUEST_32BIT);
    fake_set(GUEST_ES_LIMIT, 0x1008);
    fake_cpu.port_value = 0xABCD;
    fake_vcpu.gpr[RDI] = 0x1000;
    fake_vcpu.gpr[RCX] = 6;
    memcpy(&fake_ram[FAKE_RIP], "\xF3\x66\x6D", 3);
    fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x1F0, 2, STRING | REP | IN), 3);
    assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_RETRY);
    assert_int_equal(fake_event.vector, VECTOR_GP);
    assert_int_equal(fake_cpu.port_accesses, 4);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x1008);
    assert_int_equal(fake_vcpu.gpr[RCX], 2);
    assert_memory_equal(&fake_ram[0x1006], "\xCD\xAB\0", 3);
}

/* The third word lies in two pages. */
static void page_boundary(void **state)
{
    (void)state;
    fake_cpu.port_value = 0xABCD;
    fake_vcpu.gpr[RDI] = 0x1FFB;
    fake_vcpu.gpr[RCX] = 5;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0x60, 2, STRING | REP | IN), "\xF3\x66\x6D", 3),
                     EXIT_ADVANCE);
    assert_memory_equal(&fake_ram[0x1FFA], "\0\xCD\xAB\xCD\xAB\xCD\xAB\xCD\xAB\xCD\xAB\0", 12);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x2005);
    assert_int_equal(fake_cpu.port_accesses, 5);
}

/* The write that ends the machine is not counted as done. */
static void ending_write_among_others(void **state)
{
    (void)state;
    ending_port = 0xCF9;
    fake_vcpu.gpr[RSI] = 0x3000;
    fake_vcpu.gpr[RCX] = 3;
    assert_int_equal(io(GUEST_64BIT, QUALIFICATION(0xCF9, 1, STRING | REP), "\xF3\x6E", 2),
                     EXIT_STOP);
    assert_int_equal(fake_cpu.port_accesses, 0);
    assert_int_equal(fake_vcpu.gpr[RCX], 3);
}

static void batches(void **state)
{
    (void)state;
    fake_vcpu.gpr[RDI] = 0x10000;
    fake_vcpu.gpr[RCX] = 300;
    u64 q = QUALIFICATION(0x60, 1, STRING | REP | IN);
    assert_int_equal(io(GUEST_64BIT, q, "\xF3\x6C", 2), EXIT_RETRY);
    assert_int_equal(fake_event.vector, -1);
    assert_int_equal(fake_vcpu.gpr[RCX], 300 - 128);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x10000 + 128);
    assert_true(fake_get(GUEST_RFLAGS) & RFLAGS_RF); /* a breakpoint on it has hit already */
    assert_int_equal(io(GUEST_64BIT, q, "\xF3\x6C", 2), EXIT_RETRY);
    assert_int_equal(io(GUEST_64BIT, q, "\xF3\x6C", 2), EXIT_ADVANCE);
    assert_int_equal(fake_vcpu.gpr[RDI], 0x10000 + 300);
}

/* With TF the trap comes after each element. */
static void single_step(void **state)
{
    (void)state;
    fake_guest(GUEST_64BIT);
    fake_set(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
    fake_vcpu.gpr[RDI] = 0x10000;
    fake_vcpu.gpr[RCX] = 3;
    memcpy(&fake_ram[FAKE_RIP], "\xF3\x6C", 2);
    fake_exit(EXIT_IO_INSTRUCTION, QUALIFICATION(0x60, 1, STRING | REP | IN), 2);
    assert_int_equal(exit_io_instruction(&fake_vcpu), EXIT_RETRY);
    assert_int_equal(fake_vcpu.gpr[RCX], 2);
    assert_int_equal(fake_get(GUEST_PENDING_DEBUG_EXCEPTIONS), PENDING_DEBUG_BS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(in_merges),
        TEST(out_keeps_width),
        TEST(com1_is_watched),
        TEST(ending_write_stops),
        TEST(rep_outs),
        TEST(rep_of_zero),
        TEST(rep_ins_backwards),
        TEST(real_mode_override),
        TEST(long_mode_prefixes),
        TEST(segment_overrides),
        TEST(fault_keeps_progress),
        TEST(limit_of_segment),
        TEST(missing_source),
        TEST(rights_of_segment),
        TEST(batches),
        TEST(single_step),
        TEST(limit_after_some),
        TEST(page_boundary),
        TEST(ending_write_among_others),
        TEST(address_line_20_stays_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
